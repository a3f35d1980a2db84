"""Uvicorn's HTTP protocol with a short way for what can be answered at once, from memory.

A task, its events and two writes cost uvicorn several times what looking up a schema does. Where the application has
the whole answer at hand it is written from the parser's callback; all else goes uvicorn's way, in the same order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

Headers = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class ShortAnswer:
    """A whole answer; `head` are its header lines, each with its line end, without the body's length."""

    status: int
    head: bytes
    body: bytes


AnswersAtOnce = Callable[[bytes, Headers], ShortAnswer | None]
"""Given the target as sent and the headers by lower-case name, of a GET; None takes the long way. Never blocks."""

LONG_WAY = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
"""Headers that ask for more than an answer: uvicorn sees to them."""


def protocol_with(answers: AnswersAtOnce) -> type[asyncio.Protocol]:
    """The protocol's class, for `uvicorn.Config(http=...)`."""

    class ShortAnswers(_ShortAnswers):
        pass

    ShortAnswers.answers = staticmethod(answers)
    return ShortAnswers


_ANSWERED: Any = SimpleNamespace(response_complete=True, message_event=asyncio.Event(), keep_alive=True)
"""In place of uvicorn's request cycle, after an answer at once."""


class _ShortAnswers(HttpToolsProtocol):
    answers: AnswersAtOnce

    def on_headers_complete(self) -> None:
        """Answer at once where nothing is under way on this connection."""
        answer = self._answer()
        if answer is None:
            super().on_headers_complete()
            return
        parts = [STATUS_LINE[answer.status]]
        for name, value in self.server_state.default_headers:
            parts += (name, b": ", value, b"\r\n")
        parts.append(answer.head)
        if answer.body:
            parts.append(b"content-length: %d\r\n" % len(answer.body))
        parts += (b"\r\n", answer.body)
        self.transport.write(b"".join(parts))
        self.cycle = _ANSWERED
        self.on_response_complete()

    def _answer(self) -> ShortAnswer | None:
        parser = self.parser
        if parser.get_method() != b"GET" or parser.get_http_version() != "1.1" or not parser.should_keep_alive():
            return None
        if self.flow.write_paused or self.pipeline or not (self.cycle is None or self.cycle.response_complete):
            return None
        headers = dict(self.headers)
        return self.answers(self.url, headers) if LONG_WAY.isdisjoint(headers) else None
