"""What a manifest may say about one field of the contract."""

from __future__ import annotations

from datetime import date
from typing import Literal, Self

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from connectors.declaration import Section

Scalar = StrictBool | StrictInt | StrictFloat | StrictStr


class CodesetStep(Section):
    """`value` holds for local dates before `before`; the last step has no `before`."""

    value: str
    before: date | None = None


class FieldRule(Section):
    """How one contract field is made. Exactly one of `from`, `const`, `ingest_time` says where its value is.

    - `from`: path in the raw record, parts separated by dots
    - `const`: a fixed value
    - `ingest_time`: the time of reading, UTC
    - `codes`: raw code → contract value; anything else is refused
    - `time`: `iso` (RFC 3339) or a strptime pattern of local time in the manifest's zone
    - `normalise`: `procedure_code` keeps the national prefix
    - `check`: `dossier_code`, or `pattern`: a regular expression for the whole text
    - `min`, `max`: bounds of a number
    - `pseudonym`: class of a personal value, replaced by its keyed pseudonym
    - `codeset`: the code set in force on the local date of the time at `from`
    - `default`: stands in for a missing or null value
    """

    source: str | None = Field(None, alias="from")
    const: Scalar | None = None
    ingest_time: Literal[True] | None = None
    codes: dict[StrictInt | StrictStr, Scalar] | None = None
    time: str | None = None
    normalise: Literal["procedure_code"] | None = None
    check: Literal["dossier_code"] | None = None
    pattern: str | None = None
    min: float | None = None
    max: float | None = None
    pseudonym: Literal["citizen_id", "phone", "name", "text"] | None = None
    codeset: tuple[CodesetStep, ...] | None = None
    default: Scalar | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        origins = [self.source is not None, self.const is not None, self.ingest_time is not None]
        if sum(origins) != 1:
            raise ValueError(
                "exactly one of from, const, ingest_time is needed / cần đúng một trong from, const, ingest_time"
            )
        if self.codeset is not None and (self.time is None or self.codeset[-1].before is not None):
            raise ValueError(
                "codeset needs time, and a last step without before / codeset cần time và bước cuối không có before"
            )
        return self
