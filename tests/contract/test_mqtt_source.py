"""MQTT: acknowledged only when Kafka has it, TLS by the declared name, keys out of the topic."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing
from pathlib import Path

import pytest

from connectors.errors import CredentialsError, SourceRefusedError
from connectors.manifest import load_manifest
from connectors.runtime import open_source
from connectors.sources import mqtt
from tests.conformance import Reading
from tests.department_servers import MqttBroker
from tests.gate import gate
from tests.worlds.streams import MqttWorld


@pytest.fixture
def world(mqtt_broker: MqttBroker, tmp_path: Path):  # type: ignore[no-untyped-def]
    with gate(mqtt_broker.port) as opened:
        yield MqttWorld(tmp_path, mqtt_broker, opened)


async def test_what_nobody_acknowledged_comes_again_after_the_connection_breaks(world: MqttWorld) -> None:
    world.add(0, 10)
    async with Reading(world) as reading:
        async with aclosing(reading.source.read(None)) as pages:  # type: ignore[type-var]
            first = await anext(pages)
            assert len(first.records) == 10
            with world.away():
                pass
        assert set(await reading.read_until(world.ids(0, 10))) == world.ids(0, 10)
        assert await reading.read() == []


async def test_keys_are_read_from_the_topic_and_broken_payloads_are_refused(world: MqttWorld) -> None:
    with world._connected("pub-x", keep=False) as client:
        for payload in (b'[{"id": "a"}, {"id": "b"}]', b"not json"):
            client.publish(f"{world.root}/77/ghi-chu", payload, qos=1).wait_for_publish(10)
    manifest = world.manifest()
    text = world.manifest_file.read_text().replace("client_id:", "topic_keys: {so: 2}\n  client_id:")
    world.manifest_file.write_text(text)
    manifest = load_manifest(world.manifest_file)
    source = open_source(manifest, world.surroundings())
    records, refused = [], []
    async with aclosing(source.read(None)) as pages:  # type: ignore[type-var]
        async for page in pages:
            records += page.records
            refused += page.refused
    await source.close()
    assert [(each["id"], each["so"]) for each in records] == [("a", "77"), ("b", "77")]
    assert [each.error.code for each in refused] == ["not_json"]


async def test_no_message_is_left_behind_that_comes_as_a_wait_ends(
    world: MqttWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "GATHER_S", 0.0)
    monkeypatch.setattr(mqtt, "IDLE_S", 0.001)
    async with Reading(world) as reading:
        await reading.read()
        adding = asyncio.create_task(asyncio.to_thread(world.add, 0, 200))
        assert sorted(await reading.read_until(world.ids(0, 200))) == sorted(world.ids(0, 200))
        await adding


# paho leaves the socket of a failed handshake to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_tls_checks_the_brokers_name_and_authority(world: MqttWorld, mqtt_broker: MqttBroker) -> None:
    world.add(0, 3)
    (world.folder / "ca.pem").write_text(mqtt_broker.ca)
    plain = world.source()
    outcomes = {}
    for name, host, ca in (
        ("right", "localhost", f"ca: ${{file:{world.folder}/ca.pem}}"),
        ("other name", "127.0.0.1", f"ca: ${{file:{world.folder}/ca.pem}}"),
        ("unknown authority", "localhost", ""),
    ):
        secured = plain.replace("tls: false", f"tls: true\n            {ca}").replace(
            "host: 127.0.0.1", f"host: {host}"
        )
        declared = secured.replace(f"port: {world.gate.port}", f"port: {mqtt_broker.tls_port}")
        world.source = lambda declared=declared: declared  # type: ignore[method-assign]
        async with Reading(world) as reading:
            try:
                outcomes[name] = len((await reading.source.preview(3)).records)
            except SourceRefusedError as error:
                assert not isinstance(error, CredentialsError)
                outcomes[name] = error.text.en
    gc.collect()
    assert outcomes["right"] == 3
    assert "certificate cannot be verified" in str(outcomes["other name"])
    assert "certificate cannot be verified" in str(outcomes["unknown authority"])
