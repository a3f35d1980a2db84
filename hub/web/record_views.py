"""Records of an entity as people read them: names of fields, codes and states, times where the province is. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.entities.filters import visible
from hub.entities.history import Revision
from hub.web.formats import UNKNOWN
from hub.web.views import Reader
from schemas.contract import Contract
from schemas.contract_field import Field
from streams.kpi import Term
from streams.plan import EntityPlan

KEY = "entity_key"
FIRST = ("org_code", "status")
"""Shown of every record, if it has them."""
LAST = ("source_system", "ingest_time")
MOST_COLUMNS = 8
"""Columns of a list that a screen of 1366 points holds."""

NameOf = Callable[[str, str], "str | None"]
"""The name of a value of a field, by its code table."""


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field of a record. `code`: the value as it is kept, where its name is shown."""

    name: str
    title: str
    text: str
    code: str | None


@dataclass(frozen=True, slots=True)
class RecordLine:
    key: str
    cells: tuple[str, ...]
    amount: str | None


@dataclass(frozen=True, slots=True)
class RecordTable:
    """`titles`: of the columns after the key."""

    titles: tuple[str, ...]
    lines: tuple[RecordLine, ...]


@dataclass(frozen=True, slots=True)
class ChangeView:
    title: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RevisionView:
    """One delivery. `place`: topic, partition and offset; `counts`: whether it is in the figures."""

    kind: str
    revision: str
    op: str
    source: str
    happened: str
    arrived: str
    place: str
    took_back: bool
    repaired: bool
    counts: bool
    changes: tuple[ChangeView, ...]


def title_of(field: Field, language: str) -> str:
    """What a field is, in a few words: the first sentence of its description."""
    words = field.doc_en if language == "en" else field.doc_vi
    return re.split(r"[.;:(]\s?", words, maxsplit=1)[0].strip() or field.name


def field_text(field: Field, value: Any, name_of: NameOf, reader: Reader) -> str:
    """A value in words."""
    if value is None or value == "":
        return UNKNOWN
    named = name_of(field.name, str(value)) if field.codes else None
    if named:
        return named
    if isinstance(value, datetime):
        return reader.clock(value)
    if field.base == "boolean" or isinstance(value, bool):
        return reader.t("health.yes" if value else "health.no")
    if field.base == "enum":
        return reader.t.texts.get(f"value.{field.name}.{value}", str(value))
    if isinstance(value, int | float) and field.base != "string" and not field.codes:
        return reader.number(float(value))
    return str(value)


def field_views(contract: Contract, state: Mapping[str, Any], name_of: NameOf, reader: Reader) -> list[FieldView]:
    """All visible fields of one record."""
    found = []
    for field in visible(contract):
        value = state.get(field.name)
        text = field_text(field, value, name_of, reader)
        code = str(value) if field.codes and value not in (None, "") and text != str(value) else None
        found.append(FieldView(field.name, title_of(field, reader.language), text, code))
    return found


def columns_for(contract: Contract, plan: EntityPlan, terms: Iterable[Term]) -> list[Field]:
    """What a record is shown by in a figure's list: its unit and state, and what the figure's measures look at."""
    asked: list[str] = [*FIRST]
    for term in terms:
        asked.append(term.time)
        asked += re.findall(r"[a-z_]\w*", plan.measures[term.measure].sql)
    asked += LAST
    fields = {field.name: field for field in visible(contract)}
    names = [name for name in dict.fromkeys(asked) if name in fields and name != KEY]
    return [fields[name] for name in names[:MOST_COLUMNS]]


def record_table(
    items: Sequence[Mapping[str, Any]], fields: Sequence[Field], name_of: NameOf, reader: Reader
) -> RecordTable:
    """A page of records; `amount` is what each adds to a figure, if it is one of a figure's records."""
    return RecordTable(
        tuple(title_of(field, reader.language) for field in fields),
        tuple(
            RecordLine(
                str(item[KEY]),
                tuple(field_text(field, item.get(field.name), name_of, reader) for field in fields),
                reader.number(float(item["amount"])) if "amount" in item else None,
            )
            for item in items
        ),
    )


def revision_views(
    contract: Contract, revisions: Sequence[Revision], name_of: NameOf, reader: Reader
) -> list[RevisionView]:
    """Every delivery of a record, the newest first."""
    return [_revision(contract, one, name_of, reader) for one in revisions]


def _revision(contract: Contract, one: Revision, name_of: NameOf, reader: Reader) -> RevisionView:
    fields = contract.by_name
    return RevisionView(
        kind=one.kind,
        revision=str(one.state.get("revision", UNKNOWN)),
        op=str(one.state.get("op", UNKNOWN)),
        source=str(one.state.get("source_system", UNKNOWN)),
        happened=reader.clock(one.state.get("event_time")),
        arrived=reader.clock(one.arrived_at),
        place=f"{one.topic} · {one.partition} · {one.offset}",
        took_back=one.took_back,
        repaired=one.repaired,
        counts=one.kind == "applied",
        changes=tuple(
            ChangeView(
                title_of(fields[change.field], reader.language),
                field_text(fields[change.field], change.before, name_of, reader),
                field_text(fields[change.field], change.after, name_of, reader),
            )
            for change in one.changes
        ),
    )
