"""Errors of the contracts.

SchemaError                 something agreed upon is wrong or missing
├── ContractError           a contract file or a declaration that leans on it is wrong: mend the file
├── DeclarationError        a declaration in YAML or CSV is wrong: mend the file
├── DecodeError             one record cannot be read: quarantine the record
├── UnknownSchemaError      the registry answered 404 for this id: quarantine the record
└── RegistryError           the registry refused (message says why): do not retry
    └── RegistryUnavailableError   the registry is away: wait and retry
        └── SchemasAwayError   … and a batch needs schemas by these ids: others go on meanwhile
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.text import Text


class SchemaError(Exception):
    """Root of this package's errors."""


class ContractError(SchemaError):
    """A contract or a declaration that leans on it is wrong; the message names file, field and cure.

    `vi` is the message in Vietnamese where there is one, else the same text.
    """

    def __init__(self, message: str, vi: str | None = None) -> None:
        super().__init__(message)
        self.vi = vi or message


class DeclarationError(SchemaError):
    """A declaration is wrong; `text` names file, line, path and cure, a line for each fault.

    `path` (dotted) and `line` are those of the first fault, where it has a place in the file.
    """

    def __init__(self, text: Text, path: str = "", line: int | None = None) -> None:
        super().__init__(text.en)
        self.text = text
        self.path = path
        self.line = line

    @classmethod
    def of(cls, faults: Sequence[DeclarationError]) -> DeclarationError:
        """Several faults of one file (at least one) as one error."""
        text = Text("\n".join(fault.text.vi for fault in faults), "\n".join(fault.text.en for fault in faults))
        return cls(text, faults[0].path, faults[0].line)


class DecodeError(SchemaError):
    """One record cannot be read."""


class UnknownSchemaError(SchemaError):
    """No schema has this id."""


class RegistryError(SchemaError):
    """The registry refused the request; asking again unchanged is useless."""


class RegistryUnavailableError(RegistryError):
    """The registry did not answer; asking again later may help."""


class SchemasAwayError(RegistryUnavailableError):
    """A batch needs schemas that the registry does not give at present, by `ids`; those by `known` are at hand."""

    def __init__(self, cause: str, ids: frozenset[int], known: frozenset[int]) -> None:
        super().__init__(cause)
        self.ids = ids
        self.known = known
