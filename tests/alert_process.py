"""A notifier as a process of its own, for tests that kill it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from connectors.compacted import CompactedTopic
from hub.alerts.alert import Alert
from hub.alerts.book import AlertBook
from hub.alerts.channels import MailWay, Paper, Post, Way, WebhookWay
from hub.alerts.notifier import Notifier
from hub.alerts.rule import Channel
from hub.alerts.sending import Delivery
from hub.clock import utc_now


@dataclass
class Killed:
    """A way after whose delivery the process is gone."""

    way: Way

    async def send(self, delivery: Delivery) -> None:
        await self.way.send(delivery)
        os.kill(os.getpid(), signal.SIGKILL)


async def tell(bootstrap: str, name: str, url: str, port: int, kill: str) -> None:
    topic = CompactedTopic(bootstrap, name, keep_values=False)
    book = AlertBook(topic)
    await topic.start()
    hook = Channel.model_validate({"id": "hook", "webhook": {"url": url, "secret": "${env:IOC_SECRET_A}"}})
    mail = Channel.model_validate({"id": "mail", "mail": {"to": ["ioc@hue.example.vn"]}})
    paper = Paper(ZoneInfo("Asia/Ho_Chi_Minh"), "http://127.0.0.1", utc_now)
    post = Post("127.0.0.1", port, "ioc@hue.example.vn")
    ways: dict[str, Way] = {"hook": WebhookWay(hook, lambda _: "secret", paper), "mail": MailWay(mail, post, paper)}
    if kill in ways:
        ways[kill] = Killed(ways[kill])
    if not book.all():
        since = utc_now() - timedelta(minutes=1)
        texts = {"vi": "Trễ", "en": "Late"}
        await book.write([Alert("a", "r", "s", texts, "page", "o", "c", "", since, channels=("hook", "mail"))])
    notifier = Notifier(book, {"hook": hook, "mail": mail}, ways, utc_now)
    async with asyncio.timeout(90):
        while len(book.marks()) < 2 or any(mark.outcome not in ("sent", "uncertain") for mark in book.marks().values()):
            await notifier.tell()
            await asyncio.sleep(0.1)
    await topic.stop()


if __name__ == "__main__":
    asyncio.run(tell(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]))
