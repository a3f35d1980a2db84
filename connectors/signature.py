"""Signatures of pushed requests: HMAC-SHA256 over `timestamp.nonce.body`, checked in constant time, never twice.

Nonces are remembered in memory for as long as their timestamp would be accepted. A restart forgets them, so
requests stamped before it are asked to be signed anew; that leaves one gap: a request stamped ahead of our clock
and accepted just before a restart can be repeated after it, which the entity's revision turns into a repeat.
"""

from __future__ import annotations

import hmac
import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from connectors.errors import Text
from connectors.mac import Mac
from connectors.problem import ProblemType, RequestRefusedError

PREFIX = "sha256="
NONCE_CHARACTERS = (8, 128)
NONCES_KEPT = 1_000_000
"""Nonces in memory over all connectors, about 100 MB when full: 1,600 requests/s for ten minutes."""


class Signed(NamedTuple):
    """The three signature headers as received; None where absent."""

    timestamp: str | None
    nonce: str | None
    signature: str | None


def sign(key: bytes, timestamp: int, nonce: str, body: bytes) -> str:
    """The signature header's value."""
    return _signature(Mac(key), f"{timestamp}", nonce, body)


@dataclass(slots=True)
class NonceStore:
    """Nonces accepted since the start, forgotten when their timestamps expire. Not thread-safe: one event loop."""

    capacity: int = NONCES_KEPT
    _known: set[int] = field(default_factory=set)
    _by_second: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    _swept: int = 0

    def take(self, connector: str, nonce: str, expires_s: int, now_s: float) -> bool:
        """Whether the nonce is new; if so it is remembered until `expires_s`. Refuses all when full."""
        self._sweep(int(now_s))
        mark = hash((connector, nonce))
        if mark in self._known:
            return False
        if len(self._known) >= self.capacity:
            raise RequestRefusedError(
                ProblemType.OVERLOADED,
                Text("Quá nhiều yêu cầu trong mười phút; hãy gửi gộp nhiều bản ghi", "Too many requests; send batches"),
                retry_after_s=30,
            )
        self._known.add(mark)
        self._by_second[expires_s].append(mark)
        return True

    def release(self, connector: str, nonce: str) -> None:
        """The request was not taken after all: the sender may send the very same one again."""
        self._known.discard(hash((connector, nonce)))

    def __len__(self) -> int:
        return len(self._known)

    def _sweep(self, now_s: int) -> None:
        if now_s == self._swept:
            return
        self._swept = now_s
        for second in [second for second in self._by_second if second < now_s]:
            self._known.difference_update(self._by_second.pop(second))


@dataclass(frozen=True, slots=True)
class Verifier:
    """Checks one connector's requests. `macs`: of one or two live secrets; `started_s`: when this process began."""

    connector: str
    macs: tuple[Mac, ...] = field(repr=False)
    tolerance_s: int
    started_s: float
    nonces: NonceStore

    def check(self, signed: Signed, body: bytes, now_s: float) -> str:
        """The nonce, now taken; RequestRefusedError otherwise."""
        if not signed.timestamp or not signed.nonce or not signed.signature:
            raise RequestRefusedError(
                ProblemType.MISSING_SIGNATURE,
                Text(
                    "Cần ba tiêu đề X-IOC-Timestamp, X-IOC-Nonce, X-IOC-Signature",
                    "The headers X-IOC-Timestamp, X-IOC-Nonce and X-IOC-Signature are needed",
                ),
            )
        stamp = self._stamp(signed.timestamp)
        low, high = NONCE_CHARACTERS
        given = signed.signature
        if not low <= len(signed.nonce) <= high or not self._matches(signed.timestamp, signed.nonce, given, body):
            raise RequestRefusedError(
                ProblemType.WRONG_SIGNATURE,
                Text(
                    "Chữ ký không khớp; kiểm tra khóa bí mật và cách ghép timestamp.nonce.body",
                    "The signature does not match; check the secret and how timestamp.nonce.body is joined",
                ),
            )
        self._check_time(stamp, now_s)
        if not self.nonces.take(self.connector, signed.nonce, stamp + self.tolerance_s, now_s):
            raise RequestRefusedError(
                ProblemType.REPLAYED_NONCE,
                Text("Nonce đã được dùng; mỗi lần gửi phải ký lại với nonce mới", "The nonce was used; sign anew"),
            )
        return signed.nonce

    def _matches(self, timestamp: str, nonce: str, signature: str, body: bytes) -> bool:
        given, found = signature.encode(), False
        for mac in self.macs:
            found |= hmac.compare_digest(_signature(mac, timestamp, nonce, body).encode(), given)
        return found

    def _stamp(self, text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 12):
            raise _stale(self.tolerance_s)
        return int(text)

    def _check_time(self, stamp: int, now_s: float) -> None:
        if abs(now_s - stamp) > self.tolerance_s:
            raise _stale(self.tolerance_s)
        if stamp < math.ceil(self.started_s):
            raise RequestRefusedError(
                ProblemType.SIGNED_BEFORE_START,
                Text(
                    "Dịch vụ vừa khởi động lại; hãy ký lại với thời điểm hiện tại",
                    "The service has just started; sign again with the present time",
                ),
                retry_after_s=1,
            )


def _signature(mac: Mac, timestamp: str, nonce: str, body: bytes) -> str:
    return PREFIX + mac.hexdigest(f"{timestamp}.{nonce}.".encode(), body)


def _stale(tolerance_s: int) -> RequestRefusedError:
    return RequestRefusedError(
        ProblemType.STALE_TIMESTAMP,
        Text(
            f"X-IOC-Timestamp phải là giây Unix, lệch không quá {tolerance_s} giây; kiểm tra đồng hồ máy gửi",
            f"X-IOC-Timestamp must be Unix seconds within {tolerance_s} s; check the sender's clock",
        ),
    )
