"""What a manifest may say about one field of the contract."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from connectors.declaration import MisdeclaredError, Section
from connectors.expression import ExpressionError, compile_expression

Scalar = StrictBool | StrictInt | StrictFloat | StrictStr


class CodesetStep(Section):
    """`value` holds for local dates before `before`; the last step has no `before`."""

    value: str
    before: date | None = None


class TableLookup(Section):
    """A code table of the hub: the raw value is sought in column `by`, and column `give` is the result.

    `where`: only rows with these values, such as `{codeset: "2025"}`.
    """

    name: str
    by: str = "code"
    give: str = "code"
    where: dict[str, str] = Field(default_factory=dict)


class FieldRule(Section):
    """How one contract field is made. Exactly one of `from`, `const`, `ingest_time`, `expr` says where its value is.

    - `from`: path in the raw record, parts separated by dots
    - `const`: a fixed value
    - `ingest_time`: the time of reading, UTC
    - `expr`: an expression in CEL over `value` (what is at `from`) and `raw` (the record); see README
    - `decimal`: numbers come as texts with this decimal sign: `,` reads `1.234,5`
    - `table`: a code table of the hub instead of `codes`
    - `codes`: raw code → contract value; anything else is refused
    - `time`: `iso` (RFC 3339) or a strptime pattern of local time in the manifest's zone; of a list the first that fits
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
    expr: StrictStr | None = Field(None, min_length=1)
    decimal: Literal[",", "."] | None = None
    table: TableLookup | None = None
    codes: dict[StrictInt | StrictStr, Scalar] | None = None
    time: str | Annotated[tuple[str, ...], Field(min_length=1, max_length=5)] | None = None
    normalise: Literal["procedure_code"] | None = None
    check: Literal["dossier_code"] | None = None
    pattern: str | None = None
    min: float | None = None
    max: float | None = None
    pseudonym: Literal["citizen_id", "phone", "name", "text"] | None = None
    codeset: tuple[CodesetStep, ...] | None = None
    default: Scalar | None = None

    @property
    def times(self) -> tuple[str, ...]:
        """The forms of `time`, none if there is none."""
        if self.time is None:
            return ()
        return (self.time,) if isinstance(self.time, str) else self.time

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        origins = [self.const is not None, self.ingest_time is not None, self.expr is not None]
        origins.append(self.source is not None and self.expr is None)
        if sum(origins) != 1 or (self.source is not None and (self.const is not None or self.ingest_time)):
            raise MisdeclaredError(
                "cần đúng một trong from, const, ingest_time, expr",
                "needs exactly one of from, const, ingest_time, expr",
            )
        if self.codeset is not None and (self.time is None or self.codeset[-1].before is not None):
            raise MisdeclaredError(
                "codeset cần time và bước cuối không có before", "codeset needs time, and a last step without before"
            )
        if self.codes is not None and self.table is not None:
            raise MisdeclaredError("đã có codes; hãy bỏ một trong hai", "has codes already; take one away", ("table",))
        self._check_patterns()
        return self

    def _check_patterns(self) -> None:
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise MisdeclaredError(
                    f"không phải biểu thức chính quy ({error})", f"is no regular expression ({error})", ("pattern",)
                ) from None
        for number, form in enumerate(self.times):
            if form != "iso" and "%" not in form:
                at = ("time",) if isinstance(self.time, str) else ("time", str(number))
                raise MisdeclaredError(
                    f"không phải dạng thời gian: {form!r}; ví dụ iso hoặc %d/%m/%Y %H:%M:%S",
                    f"is no form of a time: {form!r}; for example iso or %d/%m/%Y %H:%M:%S",
                    at,
                )
        if self.min is not None and self.max is not None and self.min > self.max:
            raise MisdeclaredError("phải ít nhất bằng min", "must be at least min", ("max",))
        if self.expr is not None:
            try:
                compile_expression(self.expr, self.source)
            except ExpressionError as error:
                raise MisdeclaredError(error.text.vi, error.text.en, ("expr",)) from None
