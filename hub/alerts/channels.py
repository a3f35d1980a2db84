"""Ways to people: a signed webhook and mail by SMTP.

NotDeliveredError: the receiver has not taken the message, and knows nothing of it; `reason` is a code for logs.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import httpx2
import orjson

from connectors.secrets import Reference
from connectors.signature import sign
from hub.alerts.message import body_of, subject_of, text_of
from hub.alerts.rule import Channel
from hub.alerts.sending import Delivery

TIMEOUT_S = 20.0


class NotDeliveredError(Exception):
    """It was not taken; it may be tried again."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Way(Protocol):
    """One channel; returns once the receiver has taken the message, raises NotDeliveredError."""

    async def send(self, delivery: Delivery) -> None: ...


@dataclass(frozen=True, slots=True)
class Post:
    """Where mail is handed in. `password` is shown to nobody."""

    host: str
    port: int = 25
    sender: str = "ioc@localhost"
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Paper:
    """How messages are written: in whose zone, and where the desk is."""

    zone: ZoneInfo
    desk: str
    clock: Callable[[], datetime]


class WebhookWay:
    """POST of JSON, signed as pushes to the hub are: HMAC-SHA256 over `timestamp.delivery.body`. The delivery's id is
    in `Idempotency-Key` too: one who has seen it answers 2xx and does nothing."""

    def __init__(self, channel: Channel, secret: Callable[[Reference], str], paper: Paper) -> None:
        assert channel.webhook is not None
        self._url = channel.webhook.url
        self._reference = channel.webhook.key
        self._secret = secret
        self._paper = paper

    async def send(self, delivery: Delivery) -> None:
        body = orjson.dumps(body_of(delivery))
        stamp = int(self._paper.clock().timestamp())
        try:
            key = self._secret(self._reference).encode()
            headers = {
                "Content-Type": "application/json",
                "X-IOC-Timestamp": str(stamp),
                "X-IOC-Nonce": delivery.id,
                "X-IOC-Signature": sign(key, stamp, delivery.id, body),
                "Idempotency-Key": delivery.id,
            }
            async with httpx2.AsyncClient(timeout=TIMEOUT_S) as client:
                response = await client.post(self._url, content=body, headers=headers)
        except Exception as error:
            raise NotDeliveredError(type(error).__name__) from error
        if not response.is_success:
            raise NotDeliveredError(f"http_{response.status_code}")


class MailWay:
    """A mail by SMTP, plain text. Its Message-ID is the delivery's id."""

    def __init__(self, channel: Channel, post: Post | None, paper: Paper) -> None:
        self._channel = channel
        self._post = post
        self._paper = paper

    async def send(self, delivery: Delivery) -> None:
        if self._post is None:
            raise NotDeliveredError("no_smtp_host")
        if not delivery.to:
            raise NotDeliveredError("no_address")
        await asyncio.to_thread(self._hand_in, self._post, self._mail(self._post, delivery), delivery.to)

    def _mail(self, post: Post, delivery: Delivery) -> EmailMessage:
        language, mail = self._channel.language, EmailMessage()
        mail["Subject"] = subject_of(delivery, language)
        mail["From"] = post.sender
        mail["To"] = ", ".join(delivery.to)
        mail["Date"] = format_datetime(self._paper.clock().astimezone(UTC))
        mail["Message-ID"] = f"<{delivery.id}@{post.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text_of(delivery, language, self._paper.desk, self._paper.zone))
        return mail

    def _hand_in(self, post: Post, mail: EmailMessage, to: tuple[str, ...]) -> None:
        try:
            with smtplib.SMTP(post.host, post.port, timeout=TIMEOUT_S) as server:
                if post.tls:
                    server.starttls(context=ssl.create_default_context())
                if post.user is not None:
                    server.login(post.user, post.password or "")
                server.send_message(mail, post.sender, list(to))
        except smtplib.SMTPResponseException as error:
            raise NotDeliveredError(f"smtp_{error.smtp_code}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise NotDeliveredError(type(error).__name__) from error
