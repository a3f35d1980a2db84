"""Errors of the entities' lists. Each names the part of the question that is wrong and what is allowed.

EntityError
├── UnknownFieldError    the entity has no such field, or it is withheld: 400, with those that can be had
├── FilterError          a filter's operator or value does not fit the field: 400
├── CursorError          a cursor is not one of this question: 400
└── NoSuchRecordError    there is no such record, or it is another unit's: 404
"""

from __future__ import annotations


class EntityError(Exception):
    """Root of this package's errors."""


class UnknownFieldError(EntityError):
    """`parameter` names a field that there is not; `allowed` are those that there are."""

    def __init__(self, parameter: str, name: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"{parameter}: no field {name!r}; there are {', '.join(allowed)}")
        self.parameter, self.name, self.allowed = parameter, name, allowed


class FilterError(EntityError):
    """`parameter` has the value `value`, and `wanted` is what it may be."""

    def __init__(self, parameter: str, value: str, wanted: str) -> None:
        super().__init__(f"{parameter}: {value!r} is no {wanted}")
        self.parameter, self.value, self.wanted = parameter, value, wanted


class CursorError(EntityError):
    """The cursor belongs to another question, or is none at all."""


class NoSuchRecordError(EntityError):
    """There is no record with this key that the caller may see."""
