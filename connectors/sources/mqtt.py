"""Source kind `mqtt`: topics of a department's broker in a persistent session, acknowledged once Kafka has them.

MQTT 5, QoS 1. The broker keeps the position: what was not acknowledged it sends again after the next connection.
aiomqtt's home; its client acknowledges by itself unless paho beneath it is told not to.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets as random_names
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiomqtt
import orjson
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from connectors.errors import CredentialsError, SourceError, SourceRefusedError, SourceUnavailableError, Text
from connectors.file_formats import not_json
from connectors.manifest import Manifest
from connectors.mqtt_config import Config
from connectors.patience import patiently
from connectors.source import Check, Cursor, Page, Preview, Refusal, Step, Surroundings, run_checks

__all__ = ["Config", "MqttSource", "open_source"]

TOPIC = "_topic"
"""Key of the topic in a raw record."""
CONNECT_TIMEOUT_S = 10.0
IDLE_S = 1.0
"""A read ends after so long without a message, which shows that the source is well."""
GATHER_S = 0.05
"""How long messages that come one by one are gathered into a page."""
PREVIEW_S = 3.0
"""How long a preview listens for messages."""
CLOSE_S = 1.0
REFUSED_CODES = frozenset((4, 5, 134, 135, 138, 140))
"""Connection reasons of MQTT 3.1.1 and 5 that mean: not with this login."""


class _NamedContext(ssl.SSLContext):
    """Checks the certificate against the declared host, though the connection goes to its checked address."""

    name: str = ""

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        return super().wrap_socket(*arguments, **{**options, "server_hostname": self.name})


class MqttSource:
    """See `Source`. One connection; messages beyond one page stay at the broker until they are asked for."""

    def __init__(self, config: Config, connector: str, around: Surroundings) -> None:
        secrets = around.secrets
        self._config = config
        self._around = around
        self._host = secrets.resolve(config.host)
        self._port = config.port if isinstance(config.port, int) else int(secrets.resolve(config.port))
        self._username = None if config.username is None else secrets.resolve(config.username)
        self._password = None if config.password is None else secrets.resolve(config.password)
        self._ca = None if config.ca is None else secrets.resolve(config.ca)
        self._session = config.client_id or f"ioc-{connector}"
        self._client: aiomqtt.Client | None = None
        self._held: list[aiomqtt.Message] = []
        """Of the page under way; not acknowledged yet."""
        self._coming: asyncio.Task[aiomqtt.Message] | None = None
        """The wait for the next message. It is never cancelled while the connection stands: a message that came at
        that moment would be with nobody until the next connection."""

    @property
    def poll_interval_s(self) -> float:
        return self._config.poll_interval_s

    async def close(self) -> None:
        await self._drop()

    def check(self) -> AsyncIterator[Step]:
        """See `Source.check`: address, login and topics, by a connection that leaves no session behind."""

        async def reach() -> Text:
            address = await self._around.hosts.address(self._host, self._port)
            return Text(f"địa chỉ {address}", f"address {address}")

        async def subscribe() -> Text:
            client = await self._connect(passing=True)
            await _disconnect(client)
            listed = ", ".join(self._config.topics)
            return Text(f"được nghe {listed}", f"may listen to {listed}")

        return run_checks(
            Check("resolve", Text("Tìm máy chủ", "Find the host"), reach),
            Check("subscribe", Text("Đăng nhập và đăng ký chủ đề", "Sign in and subscribe"), subscribe),
        )

    async def preview(self, count: int) -> Preview:
        """What the broker keeps (retained) or gets within PREVIEW_S; another session than that of `read`."""
        preview = Preview([])
        client = await self._connect(passing=True)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PREVIEW_S):
                    async for message in client.messages:
                        self._take(message, preview.records, preview.refused)
                        if len(preview.records) >= count:
                            break
        except aiomqtt.MqttError as error:
            raise fault_of(error) from error
        finally:
            await _disconnect(client)
        return Preview(preview.records[:count], preview.refused)

    async def read(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """Messages as they come; a page is acknowledged when the next one is asked for."""
        while True:
            client = await self._connected()
            try:
                if not self._held:
                    await self._gather(client)
            except aiomqtt.MqttError as error:
                self._around.report(_away(error))
                await self._drop()
                continue
            messages = self._held
            if not messages:
                return
            records: list[Any] = []
            refused: list[Refusal] = []
            for message in messages:
                self._take(message, records, refused)
            yield Page(records, {"session": self._session}, None, refused)
            # Of a connection that broke meanwhile the broker sends everything again.
            if self._client is client:
                self._held = []
                for message in messages:
                    client._client.ack(message.mid, message.qos)

    async def _gather(self, client: aiomqtt.Client) -> None:
        """Hold up to a page of messages; none if nothing comes for IDLE_S. May be cancelled: what came is held."""
        patience = IDLE_S
        while len(self._held) < self._config.page_size:
            if self._coming is None:
                self._coming = asyncio.create_task(anext(client.messages), name="mqtt message")
            done, _ = await asyncio.wait({self._coming}, timeout=patience)
            if not done:
                return
            coming, self._coming = self._coming, None
            self._held.append(coming.result())
            patience = GATHER_S

    def _take(self, message: aiomqtt.Message, records: list[Any], refused: list[Refusal]) -> None:
        """The records of a message: one JSON object, or an array of them."""
        topic, payload = str(message.topic), message.payload
        levels = topic.split("/")
        extra: dict[str, Any] = {TOPIC: topic}
        extra |= {key: levels[at] for key, at in self._config.topic_keys.items() if at < len(levels)}
        try:
            value = orjson.loads(payload if isinstance(payload, bytes) else str(payload))
        except orjson.JSONDecodeError as error:
            refused.append(Refusal({**extra, "size": len(str(payload))}, not_json(error.colno)))
            return
        for each in value if isinstance(value, list) else [value]:
            records.append({**each, **extra} if isinstance(each, dict) else each)

    async def _connected(self) -> aiomqtt.Client:
        if self._client is None:
            self._client = await patiently(lambda: self._connect(passing=False), self._around.report)
        return self._client

    async def _connect(self, *, passing: bool) -> aiomqtt.Client:
        """A connection that listens; `passing`: with a session that nobody misses, which takes nothing away."""
        address = await self._around.hosts.address(self._host, self._port)
        client = self._make(address, passing)
        # Without this, paho acknowledges a message before anyone has looked at it.
        client._client.manual_ack_set(True)
        _notice_hang_up(client)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await client.__aenter__()
        except (aiomqtt.MqttError, OSError, TimeoutError) as error:
            raise fault_of(error) from error
        try:
            await self._subscribe(client, passing)
        except BaseException:
            await _disconnect(client)
            raise
        return client

    def _make(self, address: str, passing: bool) -> aiomqtt.Client:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = self._config.page_size
        properties.SessionExpiryInterval = 0 if passing else round(self._config.session_days * 86_400)
        return aiomqtt.Client(
            address,
            self._port,
            identifier=f"ioc-look-{random_names.token_hex(6)}" if passing else self._session,
            username=self._username,
            password=self._password,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=passing,
            properties=properties,
            timeout=CONNECT_TIMEOUT_S,
            tls_context=self._tls() if self._config.tls else None,
        )

    def _tls(self) -> ssl.SSLContext:
        context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
        context.name = self._host
        if self._ca is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cadata=self._ca)
        return context

    async def _subscribe(self, client: aiomqtt.Client, passing: bool) -> None:
        # Retained messages only with a new subscription: else every connection would bring them again.
        options = SubscribeOptions(qos=0 if passing else 1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        for topic in self._config.topics:
            try:
                codes = await client.subscribe(topic, options=options)
            except (aiomqtt.MqttError, ValueError) as error:
                raise fault_of(error) from error
            if any((code if isinstance(code, int) else code.value) >= 128 for code in codes):
                raise SourceRefusedError(
                    Text(
                        f"Máy chủ MQTT không cho nghe chủ đề {topic}; xin cấp quyền hoặc sửa source.topics",
                        f"The MQTT broker does not let us listen to {topic}; ask for the right or mend source.topics",
                    )
                )

    async def _drop(self) -> None:
        client, self._client, self._held = self._client, None, []
        coming, self._coming = self._coming, None
        if coming is not None:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        if client is not None:
            await _disconnect(client)


def _notice_hang_up(client: aiomqtt.Client) -> None:
    """A broker that hangs up instead of answering is away at once: aiomqtt would wait out its time."""
    told = client._client.on_disconnect

    def gone(*arguments: Any) -> None:
        if told is not None:
            told(*arguments)
        if not client._connected.done():
            client._connected.set_exception(aiomqtt.MqttError("hung up"))

    client._client.on_disconnect = gone


async def _disconnect(client: aiomqtt.Client) -> None:
    with contextlib.suppress(aiomqtt.MqttError, OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await client.__aexit__(None, None, None)


def _away(error: BaseException) -> SourceUnavailableError:
    name = type(error).__name__
    return SourceUnavailableError(
        Text(f"Không kết nối được tới máy chủ MQTT ({name})", f"The MQTT broker cannot be reached ({name})")
    )


def fault_of(error: BaseException) -> SourceError:
    """What the caller must do about it."""
    reason = getattr(error, "rc", None)
    code = getattr(reason, "value", reason)
    if code in REFUSED_CODES:
        return CredentialsError(
            Text(
                f"Máy chủ MQTT từ chối đăng nhập ({code}); kiểm tra username và password",
                f"The MQTT broker refuses the login ({code}); check username and password",
            )
        )
    if isinstance(error, ValueError):
        return SourceRefusedError(
            Text("Chủ đề MQTT sai dạng; kiểm tra source.topics", "An MQTT topic is malformed; check source.topics")
        )
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return SourceRefusedError(
            Text(
                "Không xác minh được chứng chỉ của máy chủ MQTT; kiểm tra host và ca",
                "The MQTT broker's certificate cannot be verified; check host and ca",
            )
        )
    return _away(error)


def open_source(manifest: Manifest, around: Surroundings) -> MqttSource:
    """The source of a manifest of this kind; NotConfiguredError if a reference has no value."""
    return MqttSource(manifest.source, manifest.id, around)
