"""Errors of people's SQL. Each says what is wrong and what to write instead.

SqlError
├── SqlRefusedError      the statement is not one that is allowed: 400
├── SqlParameterError    a parameter is missing, or its type or value is wrong: 400
├── SqlFailedError       the warehouse could not run it, or cut it off: 422
├── UnknownQueryError    there is no saved query with this id: 404
└── TooManyQueriesError  there is no room for another saved query: 409
"""

from __future__ import annotations


class SqlError(Exception):
    """Root of this package's errors."""


class SqlRefusedError(SqlError):
    """`vi` and `en` name the piece and what is allowed."""

    def __init__(self, vi: str, en: str) -> None:
        super().__init__(en)
        self.vi, self.en = vi, en


class SqlParameterError(SqlError):
    """`name` is the parameter, `wanted` what it takes."""

    def __init__(self, name: str, wanted: str) -> None:
        super().__init__(f"{name}: {wanted}")
        self.name, self.wanted = name, wanted


class SqlFailedError(SqlError):
    """The warehouse's own words, without addresses."""


class UnknownQueryError(SqlError):
    """`id` names no saved query."""


class TooManyQueriesError(SqlError):
    """Delete some first."""
