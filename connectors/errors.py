"""Errors of the connectors, split by what the caller must do.

ConnectorError
├── ManifestError              a manifest or the mapping in it is wrong: mend the file
├── NotConfiguredError         a `${env:…}` or `${file:…}` reference has no value: the operator sets it
├── SourceError                the source cannot be read
│   ├── SourceUnavailableError     it is away or asks for patience: try again, not before `retry_after_s`
│   └── SourceRefusedError         asking again unchanged is useless: try rarely, show the cure
│       └── CredentialsError           it refuses the login
├── PublishError               Kafka did not acknowledge: nothing may be taken as delivered, try again
│   └── PublishRefusedError    the broker refuses, and time alone will not change it: the topic, a right or a limit
└── MappingError               one record does not fit the contract: quarantine the record

Every error carries its text in Vietnamese and English; none carries a value of a record or a secret.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import DeclarationError
from schemas.text import Text as Text


class ConnectorError(Exception):
    """Root of this package's errors. `code` is stable snake case, for metrics and status."""

    code = "connector_error"

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class ManifestError(ConnectorError):
    """A manifest is wrong; the message names file, line, path and cure. `path` is the first fault's, dotted."""

    code = "manifest"

    def __init__(self, text: Text, path: str = "") -> None:
        super().__init__(text)
        self.path = path

    @classmethod
    def of(cls, error: DeclarationError) -> ManifestError:
        """What the strict reader of declarations found, as an error of this package."""
        return cls(error.text, error.path)

    @classmethod
    def joined(cls, errors: Sequence[ManifestError]) -> ManifestError:
        """Several faults (at least one) as one error, a line for each."""
        text = Text("\n".join(error.text.vi for error in errors), "\n".join(error.text.en for error in errors))
        return cls(text, errors[0].path)


class NotConfiguredError(ConnectorError):
    """A reference has no value in this process."""

    code = "not_configured"


class SourceError(ConnectorError):
    """The source cannot be read."""

    code = "source"


class SourceUnavailableError(SourceError):
    """The source is away, overloaded or asks for patience."""

    code = "source_down"

    def __init__(self, text: Text, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class SourceRefusedError(SourceError):
    """The source answered with something that repeating will not change."""

    code = "source_refused"


class CredentialsError(SourceRefusedError):
    """The source refuses the login."""

    code = "credentials"


class PublishError(ConnectorError):
    """Kafka did not acknowledge all messages of a publication; some may have arrived."""

    code = "kafka_unavailable"


class PublishRefusedError(PublishError):
    """The broker refuses: a missing topic, a right or a limit. Somebody has to change something."""


class MappingError(ConnectorError):
    """One record does not fit. `path` is the field's path at the source, `code` the stable reason."""

    def __init__(self, code: str, problem: Text, cure: Text, path: str = "") -> None:
        super().__init__(problem)
        self.code = code
        self.problem = problem
        self.cure = cure
        self.path = path

    def at(self, path: str) -> MappingError:
        """The same error, placed at a field."""
        return MappingError(self.code, self.problem, self.cure, path)

    @property
    def reason(self) -> Text:
        """Whole sentences: field, what is wrong, cure."""
        where_vi = f"Trường «{self.path}»: " if self.path else ""
        where_en = f"Field “{self.path}”: " if self.path else ""
        return Text(
            f"{where_vi}{self.problem.vi}. Cách xử lý: {self.cure.vi}.",
            f"{where_en}{self.problem.en}. Cure: {self.cure.en}.",
        )


def internal_error(error: BaseException) -> ConnectorError:
    """A fault of ours, named by type only: its message may hold values."""
    name = type(error).__name__
    return ConnectorError(Text(f"Lỗi bên trong đầu nối ({name})", f"A fault inside the connector ({name})"))


def place_of(error: BaseException) -> str:
    """Where it was raised, `file:line`; for logs, in which an exception's own words must not stand."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
