"""Both connectors into a real Kafka: acknowledged before anything moves, repeats named, nobody named."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import fastavro
import httpx2
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from kafka import KafkaConsumer
from starlette.applications import Starlette

from connectors.clock import now_ms
from connectors.compacted import CompactedTopic
from connectors.cursor import POSITIONS_TOPIC
from connectors.holds import Hold, Holds, hold_key
from connectors.ingest import WebhookIngest
from connectors.intake import IntakeFactory
from connectors.manifest import load_manifests
from connectors.ownership import Ownership
from connectors.partition import partition_of
from connectors.pseudonym import Pseudonymiser
from connectors.secrets import SecretResolver
from connectors.seeds import Seed, load_seeds, parse_manifest
from connectors.signature import sign
from connectors.source import Surroundings
from connectors.status import STATUS_TOPIC, ConnectorStatus, Tally
from connectors.worker import ConnectWorker, Place
from hub.feeds import feed_of
from hub.kpi.freshness import freshness
from hub.topics import ensure_topics
from schemas.contract import Contract, load_contracts, parse_contract
from schemas.wire import unframe
from tests.connect_place import SMALL_RESTS, make_place
from tests.deadline import eventually
from tests.hotline import report
from tests.portal_server import CLIENT_ID, CLIENT_SECRET, LOOPBACK, Portal, portal_server, record, serve

MANIFESTS = load_manifests()
SEEDS = load_seeds()
CONTRACTS = load_contracts()
KEY = "the secret of 1022"
PERSONAL = ("Bưởi", "Trần Văn Sáu", "0912345678", "xả nước thải", "072000000", "0900000")


class OneId:
    """A registry that knows one schema."""

    def register(self, subject: str, schema_text: str) -> int:
        return 7


def intakes(contracts: dict[str, Contract] | None = None) -> IntakeFactory:
    return IntakeFactory(contracts or CONTRACTS, OneId(), Pseudonymiser(b"k" * 32))


@pytest.fixture(scope="module")
def bootstrap(kafka: str) -> str:
    ensure_topics(kafka, CONTRACTS.values(), 12, 1)
    return kafka


@pytest.fixture
def portal() -> Iterator[Portal]:
    with portal_server([record(number) for number in range(200)]) as running:
        yield running


@contextlib.asynccontextmanager
async def consumer(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group."""
    opened = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await opened.start()
    try:
        yield opened
    finally:
        await asyncio.sleep(0)  # its task must have begun, or stopping it raises
        await opened.stop()


def partitions(bootstrap: str, topic: str) -> set[int]:
    """Of a topic that another test may have made with fewer than the fixture asks for."""
    with contextlib.closing(KafkaConsumer(bootstrap_servers=bootstrap)) as asked:
        return set(asked.partitions_for_topic(topic) or ())


async def ends(bootstrap: str, topic: str) -> dict[TopicPartition, int]:
    """End offsets now, to read from later."""
    numbers = await asyncio.to_thread(partitions, bootstrap, topic)
    assert numbers
    async with consumer(bootstrap) as opened:
        return dict(await opened.end_offsets([TopicPartition(topic, number) for number in numbers]))


async def messages(bootstrap: str, since: dict[TopicPartition, int]) -> list[Any]:
    """All messages after `since`."""
    async with consumer(bootstrap) as opened:
        opened.assign(list(since))
        for partition, offset in since.items():
            opened.seek(partition, offset)
        last = await opened.end_offsets(list(since))
        found: list[Any] = []
        while sum(last[part] - since[part] for part in since) > len(found):
            for batch in (await opened.getmany(timeout_ms=1000)).values():
                found += batch
        return found


def rows(bootstrap: str, entity: str, found: list[Any]) -> list[dict[str, Any]]:
    count = len(partitions(bootstrap, CONTRACTS[entity].topic))
    parsed = fastavro.parse_schema(CONTRACTS[entity].schema)
    decoded = []
    for message in found:
        framed = unframe(message.value)
        assert framed is not None and framed[0] == 7
        row = fastavro.schemaless_reader(io.BytesIO(framed[1]), parsed, None)
        assert isinstance(row, dict)
        assert message.key == str(row["entity_key"]).encode()
        assert message.partition == partition_of(message.key, count)
        decoded.append(row)
    return decoded


def worker(
    bootstrap: str,
    portal: Portal,
    place: Place,
    contracts: dict[str, Contract] | None = None,
    seeds: dict[str, Seed] | None = None,
) -> ConnectWorker:
    environ = {
        "IOC_PORTAL_URL": portal.url,
        "IOC_SECRET_PORTAL_CLIENT_ID": CLIENT_ID,
        "IOC_SECRET_PORTAL_CLIENT_SECRET": CLIENT_SECRET,
    }
    around = Surroundings(SecretResolver(environ), hosts=LOOPBACK)
    return ConnectWorker(bootstrap, seeds or SEEDS, intakes(contracts), around, "test", place, SMALL_RESTS)


@pytest.fixture
def place(bootstrap: str) -> Place:
    """Configs, positions and statuses of this test alone."""
    return make_place(bootstrap)


@contextlib.asynccontextmanager
async def table(bootstrap: str, topic: str) -> AsyncIterator[CompactedTopic]:
    opened = CompactedTopic(bootstrap, topic)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.stop()


async def tally_of(running: ConnectWorker, connector: str = "portal") -> Tally:
    """Once the worker holds the connector."""
    await eventually(lambda: connector in running.connectors)
    return running.connectors[connector].tally


async def cursor_of(bootstrap: str, place: Place) -> Any:
    """The portal's stored position."""
    known = Ownership()
    positions = CompactedTopic(bootstrap, place.positions)
    positions.on_change(lambda key, value: known.apply(key, value) and None)
    await positions.start()
    await positions.stop()
    found = known.position("portal")
    return None if found is None else found.cursor


async def test_the_portals_changes_reach_the_topic_once(bootstrap: str, portal: Portal, place: Place) -> None:
    portal.feed += [record(900, kenh=9), record(901, maHoSo="sai")]
    before = {name: await ends(bootstrap, name) for name in ("ioc.administration.dossier", "ioc.quarantine")}
    running = worker(bootstrap, portal, place)
    await running.start()
    try:
        tally = await tally_of(running)
        await eventually(lambda: tally.last_poll_ok is not None)
        await eventually(lambda: running.causes() == {"kafka": None})
    finally:
        await running.stop()
    assert (tally.published, tally.quarantined) == (200, 2)
    found = rows(bootstrap, "dossier", await messages(bootstrap, before["ioc.administration.dossier"]))
    assert sorted(row["event_id"] for row in found) == [f"sk-{number:06d}" for number in range(200)]
    refused = await messages(bootstrap, before["ioc.quarantine"])
    assert {orjson.loads(message.value)["reason_code"] for message in refused} == {"unknown_code", "bad_format"}
    assert await cursor_of(bootstrap, place) == {"since": "2022-08-23T08:15:00+07:00"}
    async with table(bootstrap, place.statuses) as statuses:
        status = ConnectorStatus.from_json(statuses.get("portal") or b"")
        assert (status.state, status.department) == ("running", MANIFESTS["portal"].owner.department)
        assert (status.published, status.last_event_time) == (200, 1661217300000)


async def test_yesterdays_rows_are_late_after_two_reads(bootstrap: str, portal: Portal, place: Place) -> None:
    """A department's server that gives an old copy, whatever it is asked for: the same ids again."""
    now = datetime.now(UTC)
    portal.feed[:] = [record(number, (now - timedelta(seconds=30 - number)).isoformat()) for number in range(20)]
    running = worker(bootstrap, portal, place)
    await running.start()
    try:
        tally = await tally_of(running)
        await eventually(lambda: tally.published == 20)
        assert judged(tally) == "on_time"
        yesterday = (now - timedelta(days=1)).isoformat()
        portal.restored = [record(number, yesterday) for number in range(10)]
        asked = len(portal.asked)
        await eventually(lambda: judged(tally) == "late")
        assert len(portal.asked) - asked <= 4, "two reads, one that was under way, and one ahead"
        received = tally.received
        await eventually(lambda: tally.outdated >= 5)
        assert (tally.received, judged(tally)) == (received, "late"), "given once, and told of as long as it lasts"
        portal.restored = None
        await eventually(lambda: judged(tally) == "on_time")
    finally:
        await running.stop()


def judged(tally: Tally) -> str:
    """The state that the monitor would find now, the warehouse having all."""
    feed = feed_of(MANIFESTS["portal"])
    return freshness(feed, tally.snapshot(now_ms()), None, datetime.now(UTC)).state


async def test_an_unacknowledged_page_moves_no_position(bootstrap: str, portal: Portal, place: Place) -> None:
    absent = parse_contract(CONTRACTS["dossier"].schema, "absent", "dossier", "dossier.avsc")
    running = worker(bootstrap, portal, place, {**CONTRACTS, "dossier": absent})
    await running.start()
    try:
        tally = await tally_of(running)
        await eventually(lambda: tally.errors > 0, within_s=20)
        last = tally.last_error
        assert last is not None and last.code == "kafka_unavailable"
    finally:
        await running.stop()
    assert await cursor_of(bootstrap, place) is None


async def test_workers_stopped_anywhere_lose_nothing(bootstrap: str, portal: Portal, place: Place) -> None:
    portal.feed[:] = [
        record(number, f"2022-08-23T08:{number // 60:02d}:{number % 60:02d}+07:00") for number in range(3000)
    ]
    before = await ends(bootstrap, "ioc.administration.dossier")
    text = SEEDS["portal"].text.replace("value: 5000", "value: 100")
    small = {"portal": Seed(text, parse_manifest(text, "portal.yaml"))}
    for pages in (3, 5, 4, 6, None):  # the last worker runs to the end
        running = worker(bootstrap, portal, place, seeds=small)
        asked_before, begun_ms = len(portal.asked), time.time() * 1000
        await running.start()
        try:
            tally = await tally_of(running)
            if pages is None:
                await eventually(lambda tally=tally, since=begun_ms: (tally.last_poll_ok or 0) >= since)
            else:
                await eventually(lambda since=asked_before, pages=pages: len(portal.asked) - since >= pages)
        finally:
            await running.stop()
    found = rows(bootstrap, "dossier", await messages(bootstrap, before))
    assert {row["event_id"] for row in found} == {f"sk-{number:06d}" for number in range(3000)}


async def test_a_refused_login_is_failed_after_three_tries_with_its_cure(
    bootstrap: str, portal: Portal, place: Place
) -> None:
    portal.refuse_login = True
    running = worker(bootstrap, portal, place)
    await running.start()
    try:
        tally = await tally_of(running)
        await eventually(lambda: tally.state == "failed")
        assert tally.errors >= SMALL_RESTS.login_tries
        assert tally.last_error is not None and tally.last_error.code == "credentials"
        assert "client_secret" in tally.last_error.message_vi
        portal.refuse_login = False
        await eventually(lambda: tally.state == "running")
    finally:
        await running.stop()


# --- pushed -------------------------------------------------------------------------------------------------


class Sender:
    """The 1022 system: signs and pushes."""

    def __init__(self, url: str) -> None:
        self.client = httpx2.AsyncClient(base_url=url, timeout=30)
        self.sent = 0

    def headers(self, body: bytes, key: str = KEY, stamp: int | None = None) -> dict[str, str]:
        self.sent += 1
        at = int(time.time()) + 1 if stamp is None else stamp
        nonce = f"nonce-{self.sent:08d}"
        return {
            "X-IOC-Timestamp": str(at),
            "X-IOC-Nonce": nonce,
            "X-IOC-Signature": sign(key.encode(), at, nonce, body),
        }

    async def push(self, value: Any, connector: str = "feedback-1022") -> httpx2.Response:
        body = value if isinstance(value, bytes) else orjson.dumps(value)
        return await self.client.post(f"/v1/ingest/{connector}", content=body, headers=self.headers(body))


@contextlib.asynccontextmanager
async def hub(bootstrap: str, environ: dict[str, str] | None = None) -> AsyncIterator[Sender]:
    """An API process with the ingest route; in a thread of its own, with its own loop."""
    secrets = SecretResolver({"IOC_SECRET_1022_KEY": KEY} if environ is None else environ)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        statuses = CompactedTopic(bootstrap, STATUS_TOPIC)
        ingest = WebhookIngest(MANIFESTS.values(), intakes(), bootstrap, secrets, holds=Holds(statuses, now_ms))
        app.router.routes.append(ingest.route)
        await statuses.start()
        await ingest.start()
        try:
            yield
        finally:
            await ingest.stop()
            await statuses.stop()

    with serve(Starlette(lifespan=lifespan)) as url:
        sender = Sender(url)
        async with sender.client:
            if environ is None:
                deadline = time.monotonic() + 15
                while (await sender.push([])).status_code == 503:
                    assert time.monotonic() < deadline
            yield sender


async def test_each_report_sent_three_times_is_accepted_three_times_and_quarantined_once(bootstrap: str) -> None:
    before = {name: await ends(bootstrap, name) for name in ("ioc.citizen.feedback", "ioc.quarantine")}
    async with hub(bootstrap) as sender:
        for _ in range(3):
            answer = await sender.push([report(1), report(2, trang_thai="la", ghi_chu="Trần Văn Sáu")])
            assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "quarantined": 1})
    found = await messages(bootstrap, before["ioc.citizen.feedback"])
    assert len(found) == 3
    same = [
        {name: value for name, value in row.items() if name != "ingest_time"}
        for row in rows(bootstrap, "feedback", found)
    ]
    assert same[0] == same[1] == same[2]
    refused = await messages(bootstrap, before["ioc.quarantine"])
    assert len(refused) == 3 and len({message.key for message in refused}) == 1
    body = orjson.loads(refused[0].value)
    assert (body["id"], body["reason_code"]) == (refused[0].key.decode(), "unknown_code")
    assert dict(refused[0].headers)["__connect.errors.connector.name"] == b"feedback-1022"


async def test_no_personal_value_reaches_any_topic(bootstrap: str) -> None:
    names = ("ioc.citizen.feedback", "ioc.administration.dossier", "ioc.quarantine", STATUS_TOPIC, POSITIONS_TOPIC)
    async with hub(bootstrap) as sender:
        await sender.push([report(5), report(6, kenh="fax"), report(7, nguoi_phan_anh="Trần Văn Sáu"), "Trần Văn Sáu"])
    for name in names:
        start = dict.fromkeys(await ends(bootstrap, name), 0)
        for message in await messages(bootstrap, start):
            text = (message.key or b"") + (message.value or b"") + b"".join(value for _, value in message.headers)
            for personal in PERSONAL:
                assert personal.encode() not in text


async def test_objects_arrays_and_ndjson_are_taken(bootstrap: str) -> None:
    async with hub(bootstrap) as sender:
        lines = b"\n".join(orjson.dumps(report(number)) for number in range(10, 13))
        for value, accepted in ((report(10), 1), ([report(11), report(12)], 2), (lines, 3), ([], 0)):
            answer = await sender.push(value)
            assert (answer.status_code, answer.json()) == (202, {"accepted": accepted, "quarantined": 0})


async def test_each_of_many_pushes_at_once_is_told_what_became_of_its_own_record(bootstrap: str) -> None:
    before = {name: await ends(bootstrap, name) for name in ("ioc.citizen.feedback", "ioc.quarantine")}
    bad = {number for number in range(100, 160) if number % 10 == 3}
    async with hub(bootstrap) as sender:
        answers = await asyncio.gather(
            *(sender.push(report(number, **({"kenh": "fax"} if number in bad else {}))) for number in range(100, 160))
        )
    told = {number: answer.json() for number, answer in zip(range(100, 160), answers, strict=True)}
    assert told == {number: {"accepted": int(number not in bad), "quarantined": int(number in bad)} for number in told}
    found = rows(bootstrap, "feedback", await messages(bootstrap, before["ioc.citizen.feedback"]))
    assert sorted(row["event_id"] for row in found) == sorted(f"evt-{number}" for number in set(told) - bad)
    assert len(await messages(bootstrap, before["ioc.quarantine"])) == len(bad)


async def test_refusals_are_problems_with_stable_types(bootstrap: str) -> None:
    async with hub(bootstrap) as sender:
        body = orjson.dumps(report(20))
        post, path = sender.client.post, "/v1/ingest/feedback-1022"
        good = sender.headers(body)
        assert (await post(path, content=body, headers=good)).status_code == 202
        cases = [
            (await post(path, content=body, headers=good), 409, "replayed-nonce"),
            (await post(path, content=body), 401, "missing-signature"),
            (await post(path, content=body, headers=sender.headers(body, key="guess")), 401, "wrong-signature"),
            (await post(path, content=body + b" ", headers=sender.headers(body)), 401, "wrong-signature"),
            (
                await post(path, content=body, headers=sender.headers(body, stamp=int(time.time()) - 400)),
                401,
                "stale-timestamp",
            ),
            (
                await post(path, content=body, headers=sender.headers(body, stamp=int(time.time()) - 100)),
                503,
                "signed-before-start",
            ),
            (await sender.push(b"not json"), 400, "not-json"),
            (await sender.push(b"x" * 5_000_001), 413, "body-too-large"),
            (await sender.push(report(20), connector="nobody"), 404, "unknown-connector"),
            (await sender.push(report(20), connector="portal"), 404, "unknown-connector"),
        ]
        for answer, status, slug in cases:
            problem = answer.json()
            assert (answer.status_code, problem["type"]) == (status, f"/problems/{slug}")
            assert answer.headers["content-type"] == "application/problem+json"
            assert problem["title"] and problem["detail"]
        assert cases[5][0].headers["retry-after"] == "1"
        english = await post(path, content=body, headers={"Accept-Language": "en-GB"})
        assert english.json()["title"] == "Signature missing"


async def test_pushes_to_a_held_topic_are_asked_to_come_again_and_taken_afterwards(bootstrap: str) -> None:
    topic = CONTRACTS["feedback"].topic
    async with hub(bootstrap) as sender, table(bootstrap, STATUS_TOPIC) as statuses:
        await statuses.put(hold_key(topic), Hold(topic, now_ms() + 60_000, "test").to_json())
        deadline = time.monotonic() + 15
        while (answer := await sender.push(report(40))).status_code == 202:
            assert time.monotonic() < deadline
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/topic-held")
        assert int(answer.headers["retry-after"]) > 0
        assert topic in answer.json()["detail"]
        await statuses.put(hold_key(topic), None)
        while (await sender.push(report(41))).status_code != 202:
            assert time.monotonic() < deadline


async def test_a_poller_waits_for_a_held_topic_and_then_delivers(bootstrap: str, portal: Portal, place: Place) -> None:
    topic = CONTRACTS["dossier"].topic
    running = worker(bootstrap, portal, place)
    async with table(bootstrap, place.statuses) as statuses:
        await statuses.put(hold_key(topic), Hold(topic, now_ms() + 60_000, "test").to_json())
        await running.start()
        try:
            tally = await tally_of(running)
            await eventually(lambda: tally.last_error is not None and tally.last_error.code == "topic_held")
            published = tally.published
            await statuses.put(hold_key(topic), None)
            await eventually(lambda: tally.published > published)
        finally:
            await running.stop()


async def test_without_its_key_a_connector_says_which_is_missing(bootstrap: str) -> None:
    async with hub(bootstrap, environ={}) as sender:
        answer = await sender.push(report(30))
        assert answer.status_code == 503
        assert "IOC_SECRET_1022_KEY" in answer.json()["detail"]


async def test_many_single_pushes_share_batches(bootstrap: str) -> None:
    before = await ends(bootstrap, "ioc.citizen.feedback")
    async with hub(bootstrap) as sender:
        answers = await asyncio.gather(*(sender.push(report(number)) for number in range(100, 300)))
    assert {answer.status_code for answer in answers} == {202}
    assert len(await messages(bootstrap, before)) == 200
