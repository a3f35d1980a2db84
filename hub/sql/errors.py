"""Errors of people's SQL. Each says what is wrong and what to write instead.

SqlError
├── SqlRefusedError      the statement is not one that is allowed: 400
├── SqlParameterError    a parameter is missing, or its type or value is wrong: 400
├── SqlFailedError       the warehouse could not run it, or cut it off: 422
├── UnknownQueryError    there is no saved query with this id: 404
└── TooManyQueriesError  there is no room for another saved query: 409
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a statement something is wrong; both count from 1."""

    line: int
    column: int


class SqlError(Exception):
    """Root of this package's errors."""


class SqlRefusedError(SqlError):
    """`vi` and `en` name the piece and what is allowed; `place`: where it is; `nearest`: what may be meant."""

    def __init__(self, vi: str, en: str, place: Place | None = None, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(en)
        self.vi, self.en, self.place, self.nearest = vi, en, place, nearest


class SqlParameterError(SqlError):
    """`name` is the parameter, `wanted` what it takes."""

    def __init__(self, name: str, wanted: str) -> None:
        super().__init__(f"{name}: {wanted}")
        self.name, self.wanted = name, wanted


class SqlFailedError(SqlError):
    """The warehouse's own words, without addresses; `place` and `nearest` as of `SqlRefusedError`."""

    def __init__(self, words: str, place: Place | None = None, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(words)
        self.place, self.nearest = place, nearest


class UnknownQueryError(SqlError):
    """`id` names no saved query."""


class TooManyQueriesError(SqlError):
    """Delete some first."""
