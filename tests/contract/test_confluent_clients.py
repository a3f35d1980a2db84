"""Confluent's own client, serializers and kcat, unmodified, against the hub's registry and a real Kafka."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import (
    ConfigCompatibilityLevel,
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    ServerConfig,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext
from kafka import KafkaAdminClient

from schemas.avro_parser import parse_schema
from schemas.contract import load_contracts
from schemas.default_values import default_of


def record(*fields: tuple[Any, ...], name: str = "R") -> str:
    listed = [dict(zip(("name", "type", "default"), item, strict=False)) for item in fields]
    return json.dumps({"type": "record", "name": name, "fields": listed})


@pytest.fixture
def client(registry_url: str) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": registry_url}) as opened:
        yield opened


@pytest.fixture
def topic(kafka: str) -> str:
    name = f"people-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()
    return name


def refused(client: SchemaRegistryClient, method: str, *arguments: Any, **more: Any) -> tuple[int, int]:
    with pytest.raises(SchemaRegistryError) as error:
        getattr(client, method)(*arguments, **more)
    return error.value.http_status_code, error.value.error_code


def test_the_client_registers_looks_up_and_lists(client: SchemaRegistryClient, subject: str) -> None:
    first, second = Schema(record(("a", "string"))), Schema(record(("a", "string"), ("b", "int", 0)))
    schema_id = client.register_schema(subject, first)
    full = client.register_schema_full_response(subject, second)
    assert full.schema_id == client.lookup_schema(subject, second).schema_id != schema_id
    assert json.loads(client.get_schema(schema_id).schema_str) == json.loads(first.schema_str)
    assert client.get_versions(subject) == [1, 2]
    assert client.get_version(subject, 1).schema_id == schema_id
    latest = client.get_latest_version(subject)
    assert (latest.subject, latest.version, latest.schema_id) == (subject, 2, full.schema_id)
    assert subject in client.get_subjects()
    assert client.get_subjects(subject_prefix=subject, offset=1) == []
    assert [item.version for item in client.get_schema_versions(schema_id, subject_name=subject)] == [1]
    assert subject in client.get_subjects_by_schema_id(schema_id)
    assert client.get_schema_types() == ["AVRO"]
    assert client.get_contexts() == ["."]


def test_the_client_sees_confluents_codes(client: SchemaRegistryClient, subject: str) -> None:
    schema = Schema(record(("a", "string")))
    assert refused(client, "get_schema", 999_999) == (404, 40403)
    assert refused(client, "get_latest_version", subject) == (404, 40401)
    assert refused(client, "register_schema", subject, Schema("{")) == (422, 42201)
    client.register_schema(subject, schema)
    assert refused(client, "register_schema", subject, Schema(record(("a", "int")))) == (409, 409)
    assert refused(client, "get_version", subject, 7) == (404, 40402)
    assert refused(client, "get_compatibility", subject) == (404, 40408)
    assert refused(client, "get_mode", subject) == (404, 40409)
    assert refused(client, "update_mode", subject, "NONSENSE") == (422, 42204)


def test_the_client_judges_compatibility_and_sets_levels(client: SchemaRegistryClient, subject: str) -> None:
    client.register_schema(subject, Schema(record(("a", "string"))))
    more, other = Schema(record(("a", "string"), ("b", "int"))), Schema(record(("a", "string"), ("b", "int", 0)))
    assert not client.test_compatibility(subject, more)
    assert client.test_compatibility(subject, other, version=1)
    assert client.test_compatibility_all_versions(subject, other)
    assert client.set_compatibility(subject, "FORWARD") == {"compatibility": "FORWARD"}
    assert client.get_compatibility(subject) == "FORWARD"
    assert client.test_compatibility(subject, more)
    client.set_config(subject, ServerConfig(compatibility=ConfigCompatibilityLevel.FULL))
    assert client.get_config(subject).compatibility_level is ConfigCompatibilityLevel.FULL
    client.delete_config(subject)
    assert refused(client, "get_config", subject) == (404, 40408)


def test_the_client_deletes_and_sets_modes(client: SchemaRegistryClient, subject: str) -> None:
    client.register_schema(subject, Schema(record(("a", "string"))))
    client.register_schema(subject, Schema(record(("a", "string"), ("b", "int", 0))))
    assert client.update_mode(subject, "READONLY") == client.get_mode(subject) == "READONLY"
    assert refused(client, "delete_subject", subject) == (422, 42205)
    client.delete_mode(subject)
    assert client.get_global_mode() == "READWRITE"
    assert client.delete_version(subject, 2) == 2
    assert client.get_versions(subject, deleted=True) == [1, 2]
    assert client.get_versions(subject, deleted_only=True) == [2]
    assert client.delete_subject(subject) == [1]
    assert client.get_subjects(subject_prefix=subject, deleted_only=True) == [subject]
    assert client.delete_subject(subject, permanent=True) == [1, 2]
    assert client.get_subjects(subject_prefix=subject, deleted=True) == []


def test_the_client_resolves_references(client: SchemaRegistryClient, subject: str) -> None:
    client.register_schema(f"{subject}-unit", Schema(record(("code", "string"), name="Unit")))
    references = [SchemaReference("Unit", f"{subject}-unit", 1)]
    schema = Schema(record(("unit", "Unit"), name="Dossier"), "AVRO", references)
    schema_id = client.register_schema(subject, schema)
    assert client.get_schema(schema_id).references == references
    assert client.get_referenced_by(f"{subject}-unit", 1) == [schema_id]


def test_what_the_serializer_writes_the_deserializer_reads(
    client: SchemaRegistryClient, registry_url: str, kafka: str, topic: str
) -> None:
    context = SerializationContext(topic, MessageField.VALUE)
    old = AvroSerializer(client, record(("name", "string")))
    new = AvroSerializer(client, record(("name", "string"), ("age", "int", 0)))
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(topic, old({"name": "An"}, context))
    producer.produce(topic, new({"name": "Bình", "age": 30}, context))
    producer.flush(30)
    with SchemaRegistryClient({"url": registry_url}) as fresh:
        read = AvroDeserializer(fresh, record(("name", "string"), ("age", "int", 0)))
        consumer = Consumer({"bootstrap.servers": kafka, "group.id": topic, "auto.offset.reset": "earliest"})
        consumer.subscribe([topic])
        rows = [read(message.value(), context) for message in consumer.consume(2, timeout=60)]
        consumer.close()
    assert rows == [{"name": "An", "age": 0}, {"name": "Bình", "age": 30}]
    assert client.get_subjects(subject_prefix=topic) == [f"{topic}-value"]


def test_a_serializer_with_references_and_normalization(client: SchemaRegistryClient, subject: str) -> None:
    client.register_schema(f"{subject}-unit", Schema(record(("code", "string"), name="Unit")))
    schema = Schema(record(("unit", "Unit"), ("n", {"type": "int"}), name="Dossier"), "AVRO",
                    [SchemaReference("Unit", f"{subject}-unit", 1)])  # fmt: skip
    context = SerializationContext(subject, MessageField.VALUE)
    write = AvroSerializer(client, schema, conf={"normalize.schemas": True})
    row = {"unit": {"code": "H53"}, "n": 5}
    assert AvroDeserializer(client)(write(row, context), context) == row


def test_every_contract_goes_through_serializer_and_deserializer(client: SchemaRegistryClient, subject: str) -> None:
    for name, contract in load_contracts().items():
        context = SerializationContext(f"{subject}-{name}", MessageField.VALUE)
        row = default_of(parse_schema(contract.schema)) | {
            item["name"]: item["default"] for item in contract.schema["fields"] if "default" in item
        }
        octets = AvroSerializer(client, contract.schema_text)(row, context)
        read = AvroDeserializer(client)(octets, context)
        assert read is not None
        assert AvroSerializer(client, contract.schema_text)(read, context) == octets


KCAT_HELP = subprocess.run(("kcat", "-C", "-b", "127.0.0.1:1", "-t", "t", "-s", "avro", "-r", "http://127.0.0.1:1"),
                           capture_output=True, text=True, check=False, timeout=60)  # fmt: skip


@pytest.mark.skipif("lacks Avro" in KCAT_HELP.stderr, reason="this kcat was built without Avro, as Debian's is")
def test_kcat_reads_what_the_serializer_wrote(
    client: SchemaRegistryClient, registry_url: str, kafka: str, topic: str
) -> None:
    context = SerializationContext(topic, MessageField.VALUE)
    producer = Producer({"bootstrap.servers": kafka})
    row = {"name": "Bình", "age": 30}
    producer.produce(topic, AvroSerializer(client, record(("name", "string"), ("age", "int", 0)))(row, context))
    producer.flush(30)
    command = ("kcat", "-C", "-b", kafka, "-t", topic, "-s", "avro", "-r", registry_url, "-e", "-q", "-o", "beginning")
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == row
