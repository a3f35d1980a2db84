"""Who is told of what, once: grouping, retries, silences, and a process that is killed while it sends."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from aiosmtpd.controller import Controller
from hypothesis import given
from hypothesis import strategies as st

from connectors.compacted import WriteUncertainError
from connectors.errors import Text
from hub.alerts.alert import Act, Alert
from hub.alerts.book import AlertBook
from hub.alerts.channels import MailWay, NotDeliveredError, Paper, Post, WebhookWay
from hub.alerts.notifier import Notifier
from hub.alerts.rule import Channel
from hub.alerts.sending import Delivery, Known, Mark, due, wait
from hub.alerts.silence import Silence
from tests.stack import free_port
from tests.unit.alert_worlds import NOW, TopicInMemory

MAIL = Channel.model_validate({"id": "mail", "mail": {"to": ["ioc@hue.example.vn"]}})
HOOK = Channel.model_validate(
    {"id": "hook", "webhook": {"url": "http://127.0.0.1:1/", "secret": "${env:IOC_SECRET_ALERTS}"}}
)
LATER = NOW + timedelta(seconds=10)


def alert(name: str, channels: tuple[str, ...] = ("hook",), **changes: Any) -> Alert:
    made = Alert(
        name, "r", f"subject of {name}", {"vi": "Dữ liệu trễ", "en": "Data are late"}, "page", "Sở Xây dựng",
        "dau-moi@sxd.example.vn", "H53.7", NOW, channels=channels, facts={"state": "late", "error": "http_500"},
    )  # fmt: skip
    return replace(made, **changes)


def known(marks: Any = None, silences: Any = (), run: str = "run1") -> Known:
    return Known(marks or {}, silences, {"mail": MAIL, "hook": HOOK}, run)


def mark(outcome: Any, delivery: str, attempt: int = 1, at: datetime = NOW, run: str = "run1") -> Mark:
    return Mark(outcome, delivery, attempt, at, run)


def test_what_opens_together_is_told_together_after_a_moment() -> None:
    alerts = [alert("a"), alert("b"), alert("c", ("mail",))]
    assert due(alerts, known(), NOW + timedelta(seconds=4)) == []
    found = due(alerts, known(), LATER)
    assert [(one.channel, one.kind, [a.id for a in one.alerts]) for one in found] == [
        ("hook", "opened", ["a", "b"]), ("mail", "opened", ["c"]),
    ]  # fmt: skip
    assert found[1].to == ("ioc@hue.example.vn", "dau-moi@sxd.example.vn")


def test_one_broken_part_does_not_page_fourteen_times() -> None:
    (one,) = due([alert(f"a{n}", contact="truc-ioc") for n in range(14)], known(), LATER)
    assert len(one.alerts) == 14


def test_what_was_told_is_not_told_again() -> None:
    (first,) = due([alert("a")], known(), LATER)
    marks = {key: mark("sent", first.id) for key in first.keys}
    assert due([alert("a")], known(marks), LATER + timedelta(days=10)) == []
    (second,) = due([alert("a"), alert("b")], known(marks), LATER)
    assert [one.id for one in second.alerts] == ["b"]


def test_a_failed_delivery_is_repeated_as_it_was_at_growing_distances() -> None:
    (first,) = due([alert("a"), alert("b")], known(), LATER)
    marks = {key: mark("failed", first.id, 3, LATER) for key in first.keys}
    alerts = [alert("a"), alert("b"), alert("c")]
    assert {one.id for one in due(alerts, known(marks), LATER + wait(3) - timedelta(seconds=1))} != {first.id}
    again = next(one for one in due(alerts, known(marks), LATER + wait(3)) if one.attempt > 1)
    assert (again.id, again.attempt, [one.id for one in again.alerts]) == (first.id, 4, ["a", "b"])
    assert [wait(n).total_seconds() for n in (1, 2, 3, 20)] == [5, 10, 20, 300]


def test_a_kill_while_sending_calls_a_webhook_again_by_the_same_id_and_leaves_a_mail() -> None:
    for channel, uncertain in (("hook", False), ("mail", True)):
        (first,) = due([alert("a", (channel,))], known(), LATER)
        marks = {key: mark("sending", first.id) for key in first.keys}
        assert due([alert("a", (channel,))], known(marks), LATER + timedelta(hours=1)) == [], "it is under way"
        (again,) = due([alert("a", (channel,))], known(marks, run="run2"), LATER)
        assert (again.id, again.uncertain) == (first.id, uncertain)


def test_the_end_is_told_to_whom_the_beginning_was() -> None:
    ended = alert("a", ("hook", "mail"), ended=NOW + timedelta(hours=1))
    marks = {("a", "opened", "hook"): mark("sent", "x"), ("a", "opened", "mail"): mark("failed", "y", 9, NOW)}
    found = due([ended], known(marks), NOW + timedelta(hours=1, seconds=10))
    assert {(one.channel, one.kind) for one in found} == {("hook", "ended"), ("mail", "opened")}


def test_an_escalation_goes_to_whom_it_names() -> None:
    act = Act("escalated", NOW, "ioc", to="giam-doc@ioc.example.vn", level=1, channels=("mail",))
    marks = {("a", "opened", "hook"): mark("sent", "x")}
    (told,) = due([alert("a").with_acts([act])], known(marks), LATER)
    assert (told.kind, told.to) == ("escalated-1", ("ioc@hue.example.vn", "giam-doc@ioc.example.vn"))


def test_under_a_silence_nobody_is_told_and_after_it_whoever_should_be() -> None:
    silence = Silence("s", "r", "subject of *", "*", NOW, NOW + timedelta(hours=2), "a", "bảo trì")
    alerts = [alert("a")]
    assert due(alerts, known(silences=[silence]), LATER) == []
    assert len(due(alerts, known(silences=[silence]), NOW + timedelta(hours=2))) == 1
    passed = [alert("a", ended=NOW + timedelta(hours=1))]
    assert due(passed, known(silences=[silence]), NOW + timedelta(hours=3)) == [], "it came and went in silence"
    assert len(due([alert("a", rule="other")], known(silences=[silence]), LATER)) == 1


def test_nobody_is_told_of_what_is_handled_or_a_day_old() -> None:
    assert due([alert("a").with_acts([Act("handled", NOW, "a", "x")])], known(), LATER) == []
    assert due([alert("a")], known(), NOW + timedelta(days=2)) == []


@given(st.lists(st.sampled_from(["ok", "fail", "kill before", "kill after", "next"]), max_size=40))
def test_no_opening_is_taken_twice_whatever_fails(story: list[str]) -> None:
    """A receiver that drops ids it has seen; kills fall before or after it took the message."""
    marks: dict[Any, Mark] = {}
    taken: list[tuple[str, str]] = []
    seen: set[str] = set()
    now, run, names = LATER, 1, itertools.count()
    alerts = [alert(str(next(names)), ("hook", "mail"))]
    for step in story:
        now += timedelta(minutes=6)
        if step == "next":
            alerts.append(alert(str(next(names)), ("hook", "mail"), opened=now - timedelta(seconds=30)))
            continue
        for one in due(alerts, known(marks, run=str(run)), now):
            if one.uncertain:
                marks |= {key: mark("uncertain", one.id) for key in one.keys}
                continue
            marks |= {key: mark("sending", one.id, one.attempt, now, str(run)) for key in one.keys}
            if step != "fail" and step != "kill before" and not (one.channel == "hook" and one.id in seen):
                seen.add(one.id)
                taken += [(one.channel, a.id) for a in one.alerts]
            if step.startswith("kill"):
                run += 1
                break
            outcome = "failed" if step == "fail" else "sent"
            marks |= {key: mark(outcome, one.id, one.attempt, now, str(run)) for key in one.keys}
    assert len(taken) == len(set(taken))


@dataclass
class Receiver:
    """A webhook's receiver. `answers`: statuses to come, then 200."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = found.answers.pop(0) if found.answers else 200
            if status == 200:
                found.bodies.append(body)
                found.headers.append(dict(self.headers))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Tests print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}/alerts"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


class MailBox:
    """What an SMTP server took. `refusals`: answers to come before it takes one."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.refusals: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        self.mails.append(envelope)
        return "250 taken"


@contextmanager
def smtp() -> Iterator[tuple[MailBox, Post]]:
    box, port = MailBox(), free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box, Post("127.0.0.1", port, "ioc@hue.example.vn")
    finally:
        controller.stop()


def paper(at: datetime) -> Paper:
    return Paper(ZoneInfo("Asia/Ho_Chi_Minh"), "https://ioc.example.vn", lambda: at)


@asynccontextmanager
async def told(url: str, post: Post | None) -> AsyncIterator[tuple[Notifier, TopicInMemory]]:
    hook = Channel.model_validate(HOOK.model_dump() | {"webhook": {"url": url, "secret": "${env:IOC_SECRET_ALERTS}"}})
    topic = TopicInMemory()
    ways = {
        "hook": WebhookWay(hook, lambda _: "of the alerts", paper(LATER)),
        "mail": MailWay(MAIL, post, paper(LATER)),
    }
    yield Notifier(AlertBook(topic), {"hook": hook, "mail": MAIL}, ways, lambda: LATER), topic


async def test_a_webhook_gets_the_alerts_signed_and_after_a_fault_once() -> None:
    with receiver() as there:
        there.answers = [500]
        async with told(there.url, None) as (notifier, _):
            await notifier.book.write([alert("a"), alert("b")])
            await notifier.tell()
            assert notifier.counts == {("hook", "failed"): 1}
            notifier.clock = lambda: LATER + timedelta(seconds=6)
            for _ in range(3):
                await notifier.tell()
    (body,), (headers,) = there.bodies, there.headers
    sent = orjson.loads(body)
    assert [one["alert"] for one in sent["alerts"]] == ["a", "b"]
    assert (sent["kind"], sent["attempt"], headers["Idempotency-Key"]) == ("opened", 2, sent["delivery"])
    signed = f"{headers['X-IOC-Timestamp']}.{sent['delivery']}.".encode() + body
    expected = "sha256=" + hmac.digest(b"of the alerts", signed, hashlib.sha256).hex()
    assert headers["X-IOC-Signature"] == expected


async def test_a_mail_says_whose_it_is_what_is_wrong_and_where_it_is_handled() -> None:
    with smtp() as (box, post):
        box.refusals = ["451 come back later"]
        async with told("http://127.0.0.1:1/", post) as (notifier, _):
            await notifier.book.write([alert("a", ("mail",), value=12.5, limit=70.0)])
            await notifier.tell()
            notifier.clock = lambda: LATER + timedelta(seconds=6)
            await notifier.tell()
            await notifier.tell()
    (envelope,) = box.mails
    from email import message_from_bytes, policy

    mail = message_from_bytes(envelope.content, policy=policy.default)
    text = mail.get_body().get_content()  # type: ignore[union-attr]
    assert envelope.rcpt_tos == ["ioc@hue.example.vn", "dau-moi@sxd.example.vn"]
    assert mail["Subject"] == "[IOC] Cảnh báo: Dữ liệu trễ – subject of a"
    for part in (
        "Sở Xây dựng",
        "12.5 / 70",
        "Trễ",
        "http_500",
        "03/03/2026 10:00:00",
        "https://ioc.example.vn/alerts/a",
    ):
        assert part in text


@pytest.mark.parametrize("post", [None, Post("127.0.0.1", 1)])
async def test_mail_without_a_server_waits_and_says_why(post: Post | None) -> None:
    way = MailWay(MAIL, post, paper(LATER))
    with pytest.raises(NotDeliveredError, match=r"no_smtp_host|ConnectionRefusedError"):
        await way.send(Delivery("d", "mail", "opened", (alert("a"),), 1, ("a@b.vn",)))


async def test_nothing_is_sent_without_a_mark_and_the_outcome_of_a_lost_mark_is_not_guessed() -> None:
    """Kafka goes away before the send, then between the send and its record: the next process goes on."""
    with smtp() as (box, post), receiver() as there:
        async with told(there.url, post) as (notifier, topic):
            await notifier.book.write([alert("a", ("mail",)), alert("b", ("hook",))])
            topic.away = WriteUncertainError(Text("", ""))
            with pytest.raises(WriteUncertainError):
                await notifier.tell()
            assert (box.mails, there.bodies) == ([], [])
            topic.away = None

            def lose_outcome(key: str, value: bytes | None) -> None:
                if key.startswith("mark/") and value is not None and orjson.loads(value)["outcome"] == "sent":
                    raise WriteUncertainError(Text("", ""))

            topic.before_put = lose_outcome
            for _ in range(2):
                with pytest.raises(WriteUncertainError):
                    await notifier.tell()
            assert (len(box.mails), len(there.bodies)) == (1, 1)
            topic.before_put = None
            after = replace(notifier, book=AlertBook(topic), run="another", counts={})
            for _ in range(3):
                await after.tell()
    assert len(box.mails) == 1
    assert after.counts == {("mail", "uncertain"): 1, ("hook", "sent"): 1}
    assert [one["Idempotency-Key"] for one in there.headers] == [orjson.loads(there.bodies[0])["delivery"]] * 2


def test_the_book_forgets_what_is_older_than_a_year_s_report_needs(tmp_path: Path) -> None:
    async def story() -> TopicInMemory:
        topic = TopicInMemory()
        book = AlertBook(topic)
        await book.write([alert("old", ended=NOW), alert("new")])
        await book.act("old", Act("noted", NOW, "a", "x"))
        await book.mark([("old", "opened", "hook")], mark("sent", "d"))
        await book.forget(NOW + timedelta(days=401))
        assert [one.id for one in book.all()] == ["new"]
        return topic

    assert list(asyncio.run(story()).values) == ["alert/new"]
