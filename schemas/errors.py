"""Errors of the contracts.

SchemaError                 something agreed upon is wrong or missing
├── ContractError           a contract file or a declaration that leans on it is wrong: mend the file
├── DecodeError             one record cannot be read: quarantine the record
├── UnknownSchemaError      the registry answered 404 for this id: quarantine the record
└── RegistryError           the registry refused (message says why): do not retry
    └── RegistryUnavailableError   the registry is away: wait and retry
        └── SchemasAwayError   … and a batch needs schemas by these ids: others go on meanwhile
"""


class SchemaError(Exception):
    """Root of this package's errors."""


class ContractError(SchemaError):
    """A contract or a declaration that leans on it is wrong; the message names file, field and cure.

    `vi` is the message in Vietnamese where there is one, else the same text.
    """

    def __init__(self, message: str, vi: str | None = None) -> None:
        super().__init__(message)
        self.vi = vi or message


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
