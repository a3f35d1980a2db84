"""What comes by itself: an MQTT broker's topics, and a department's own Kafka topic."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import paho.mqtt.client as mqtt
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.conformance import World, note
from tests.department_servers import MQTT_PASSWORD, MQTT_USER, MqttBroker, SecondCluster
from tests.gate import Gate, gate


class MqttWorld(World):
    """Retained messages, so that somebody who comes later sees them too. The connector's session exists already."""

    kind = "mqtt"
    secrets = (MQTT_PASSWORD,)

    def __init__(self, folder: Path, broker: MqttBroker, opened: Gate) -> None:
        super().__init__(folder)
        self.broker = broker
        self.gate = opened
        self.root = f"so/{uuid.uuid4().hex[:8]}"
        self.session = f"ioc-{uuid.uuid4().hex[:12]}"
        self.environ = {"IOC_SECRET_WORLD_USER": MQTT_USER, "IOC_SECRET_WORLD_PASSWORD": MQTT_PASSWORD}
        with self._connected(self.session, keep=True) as client:
            done = threading.Event()
            client.on_subscribe = lambda *_: done.set()
            client.subscribe(f"{self.root}/+/ghi-chu", qos=1)
            assert done.wait(10)

    def source(self) -> str:
        return f"""
            host: 127.0.0.1
            port: {self.gate.port}
            tls: false
            username: ${{env:IOC_SECRET_WORLD_USER}}
            password: ${{env:IOC_SECRET_WORLD_PASSWORD}}
            topics: ["{self.root}/+/ghi-chu"]
            client_id: {self.session}
            page_size: 10
            poll_interval_s: 0.01
        """

    def add(self, first: int, count: int) -> None:
        with self._connected(f"pub-{uuid.uuid4().hex[:8]}", keep=False) as client:
            for number in range(first, first + count):
                sent = client.publish(f"{self.root}/{number}/ghi-chu", orjson.dumps(note(number)), qos=1, retain=True)
                sent.wait_for_publish(10)

    def state(self) -> Any:
        return None  # what waits in the session shows when it is read

    def away(self) -> contextlib.AbstractContextManager[None]:
        return self.gate.shut()

    def hung(self) -> contextlib.AbstractContextManager[None]:
        return self.gate.hung()

    def wrong_login(self) -> Mapping[str, str]:
        return {**self.environ, "IOC_SECRET_WORLD_PASSWORD": "a-wrong-password-0815"}

    @contextlib.contextmanager
    def _connected(self, name: str, *, keep: bool) -> Iterator[mqtt.Client]:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5)
        client.username_pw_set(MQTT_USER, MQTT_PASSWORD)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600 if keep else 0
        ready = threading.Event()
        client.on_connect = lambda *_: ready.set()
        client.connect("127.0.0.1", self.broker.port, clean_start=not keep, properties=properties)
        client.loop_start()
        try:
            assert ready.wait(10)
            yield client
        finally:
            client.disconnect()
            client.loop_stop()


class KafkaWorld(World):
    kind = "kafka"

    def __init__(self, folder: Path, cluster: SecondCluster, config: Mapping[str, str] | None = None) -> None:
        super().__init__(folder)
        self.cluster = cluster
        self.topic = f"so.{uuid.uuid4().hex[:12]}"
        self.environ = {"IOC_WORLD_SERVERS": cluster.bootstrap}
        admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
        made = {"num_partitions": 2, "replication_factor": 1, "configs": dict(config or {})}
        admin.create_topics({self.topic: made}, wait_for_metadata=True)
        admin.close()

    def source(self) -> str:
        return f"""
            bootstrap_servers: ${{env:IOC_WORLD_SERVERS}}
            topic: {self.topic}
            values: {{type: json}}
            page_size: 10
            poll_interval_s: 0.05
        """

    def add(self, first: int, count: int) -> None:
        producer = KafkaProducer(bootstrap_servers=self.cluster.bootstrap, acks="all")
        for number in range(first, first + count):
            producer.send(self.topic, orjson.dumps(note(number)), partition=number % 2)
        producer.flush()
        producer.close()

    def state(self) -> Any:
        consumer = KafkaConsumer(bootstrap_servers=self.cluster.bootstrap)
        ends = consumer.end_offsets([TopicPartition(self.topic, number) for number in range(2)])
        consumer.close()
        return sorted((place.partition, end) for place, end in ends.items())

    def away(self) -> contextlib.AbstractContextManager[None]:
        return self.cluster.gate.shut()

    def hung(self) -> contextlib.AbstractContextManager[None]:
        return self.cluster.gate.hung()


@contextlib.contextmanager
def mqtt_world(request: pytest.FixtureRequest, folder: Path) -> Iterator[World]:
    broker: MqttBroker = request.getfixturevalue("mqtt_broker")
    with gate(broker.port) as opened:
        yield MqttWorld(folder, broker, opened)


@contextlib.contextmanager
def kafka_world(request: pytest.FixtureRequest, folder: Path) -> Iterator[World]:
    yield KafkaWorld(folder, request.getfixturevalue("gated_kafka"))


@contextlib.contextmanager
def second_kafka_world(request: pytest.FixtureRequest, folder: Path) -> Iterator[World]:
    yield KafkaWorld(folder, request.getfixturevalue("second_cluster"))
