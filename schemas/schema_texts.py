"""Schemas by id, remembered: what stands between a flow of records and the registry.

An id never changes its schema, so a text is kept for good. An id that the registry does not know is kept for
`UNKNOWN_TTL_S`, so that a flow of bad records does not hammer the registry. A registry that does not answer is asked
by one caller at a time and at most every `AWAY_S`; everyone else hears at once that it is away, so that threads that
have other work are not held up by its time-outs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from schemas.errors import RegistryError, RegistryUnavailableError, UnknownSchemaError

UNKNOWN_TTL_S = 10.0
"""How long a 404 for an id is remembered, so that a stream of bad records does not hammer the registry."""
UNKNOWN_LIMIT = 10_000
"""Most unknown ids remembered; random bytes read as ids must not fill the memory."""
AWAY_S = 0.5
"""How long a registry that did not answer is left alone."""


class SchemaTexts:
    """`fetch` asks the registry and blocks: text, UnknownSchemaError or RegistryError. Thread-safe."""

    def __init__(self, fetch: Callable[[int], str], monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._texts: dict[int, str] = {}
        self._unknown_until: dict[int, float] = {}
        self._turns: dict[int, threading.Lock] = {}
        """Of the ids that are being asked for: one caller asks, the others wait for its answer."""
        self._away: RegistryError | None = None
        self._away_until = 0.0
        self._trying = False

    def text(self, schema_id: int) -> str:
        """The schema's text. Blocks only while the registry is being asked; raises what `fetch` raises."""
        text = self._known(schema_id)
        if text is not None:
            return text
        with self._lock:
            turn = self._turns.setdefault(schema_id, threading.Lock())
        try:
            with turn:
                # Whoever asked meanwhile has asked for all.
                text = self._known(schema_id)
                return self._ask(schema_id) if text is None else text
        finally:
            with self._lock:
                self._turns.pop(schema_id, None)

    def _known(self, schema_id: int) -> str | None:
        """The text if it is remembered; raises UnknownSchemaError if it is remembered that there is none."""
        text = self._texts.get(schema_id)
        if text is None and self._unknown_until.get(schema_id, 0.0) > self._monotonic():
            raise UnknownSchemaError(f"no schema has the id {schema_id} in the registry")
        return text

    def _ask(self, schema_id: int) -> str:
        self._begin()
        try:
            text = self._fetch(schema_id)
        except UnknownSchemaError:
            self._answered()
            self._remember_unknown(schema_id)
            raise
        except RegistryError as error:
            self._not_answered(error)
            raise
        except BaseException:
            self._answered()
            raise
        self._answered()
        with self._lock:
            self._texts[schema_id] = text
        return text

    def exists(self, schema_id: int) -> None:
        """The registry has just given this id out: forget that it did not know it."""
        with self._lock:
            self._unknown_until.pop(schema_id, None)

    def _begin(self) -> None:
        with self._lock:
            away = self._away
            if away is None:
                return
            if self._trying or self._away_until > self._monotonic():
                raise RegistryUnavailableError(str(away)) from away
            self._trying = True

    def _answered(self) -> None:
        with self._lock:
            self._away, self._trying = None, False

    def _not_answered(self, error: RegistryError) -> None:
        with self._lock:
            self._away, self._trying = error, False
            self._away_until = self._monotonic() + AWAY_S

    def _remember_unknown(self, schema_id: int) -> None:
        with self._lock:
            now = self._monotonic()
            if len(self._unknown_until) >= UNKNOWN_LIMIT:
                self._unknown_until = {key: until for key, until in self._unknown_until.items() if until > now}
            if len(self._unknown_until) < UNKNOWN_LIMIT:
                self._unknown_until[schema_id] = now + UNKNOWN_TTL_S
