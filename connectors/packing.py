"""From raw records to messages: a mapping and an encoding in one step for each field.

Many records go a field at a time (`packing_columns.py`), few through one compiled function. Most values repeat (codes,
units, minutes): what a text of the source becomes on the wire is remembered. The tests hold both ways against `Mapper`
and `Encoder`, one after the other, for any record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.encode import MEMO_CHARACTERS, Encode, field_encoders
from connectors.errors import MappingError
from connectors.mapping import EMPTY, Mapper, Step, reading
from connectors.packing_columns import ColumnPacker
from connectors.source import Refusal
from connectors.table import Table, table_of
from schemas.contract import Contract, Field
from schemas.wire import prefix

MEMO_ENTRIES = 32_768
"""Texts remembered per field; then the memory is emptied and starts again."""
WORTH = 96
"""Records from which on a field at a time is quicker than a record at a time: alone, 15 µs a record; a batch costs some
0.6 to 1.1 ms by fields before its first record, and each then 5."""

Run = Callable[
    [Sequence[Any], int, list[tuple[bytes, bytes]], list[int], Callable[[Any], None], Sequence[list[Any]]], None
]


@dataclass(frozen=True, slots=True)
class Packed:
    """(key, value) of each record that fits, in order; the newest event time, epoch ms; what was refused."""

    messages: list[tuple[bytes, bytes]]
    newest_ms: int | None
    refused: list[Refusal]


class _Wire(dict[Any, bytes]):
    """What a text, or an integer, becomes on the wire, at C speed for known ones."""

    __slots__ = ("_make",)

    def __init__(self, make: Encode) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, value: Any) -> bytes:
        made = self._make(value)
        if value.__class__ is int or len(value) <= MEMO_CHARACTERS:
            if len(self) >= MEMO_ENTRIES:
                self.clear()
            self[value] = made
        return made


class Packer:
    """Packs for one contract under one schema id. Calling it is pure and takes a few µs per record."""

    def __init__(self, mapper: Mapper, contract: Contract, schema_id: int) -> None:
        self._mapper = mapper
        self._run = _compile(mapper.steps, contract, schema_id)
        self._columns = ColumnPacker(mapper, contract, prefix(schema_id))

    def __call__(self, records: Sequence[Any], ingest_ms: int) -> Packed:
        """As `Mapper` and then `Encoder`; SourceRefusedError where the mapper raises it."""
        refused: list[Refusal] = []
        kept = self._mapper.kept(records, refused)
        if isinstance(kept, Table) or (len(kept) >= WORTH and set(map(type, kept)) == {dict}):
            table = kept if isinstance(kept, Table) else table_of(kept)
            packed = self._columns(kept if table is None else table, ingest_ms, self._mapper.columns(kept))
            holes = [kept[at] for at in packed.holes]
            refused += [Refusal(raw, self._mapper.explain(raw)) for raw in holes]
            return Packed(packed.messages, packed.newest_ms, refused)
        messages: list[tuple[bytes, bytes]] = []
        times: list[int] = []

        def refuse(raw: Any) -> None:
            refused.append(Refusal(raw, self._mapper.explain(raw)))

        self._run(kept, ingest_ms, messages, times, refuse, self._mapper.columns(kept))
        return Packed(messages, max(times, default=None), refused)


def _compile(steps: Sequence[Step], contract: Contract, schema_id: int) -> Run:
    """One Python function: every field's part of the value is one expression."""
    encoders, plain = field_encoders(contract), field_encoders(contract, remember=False)
    scope: dict[str, Any] = {"EMPTY": EMPTY, "NOTHING": {}, "MappingError": MappingError, "header": prefix(schema_id)}
    before: list[str] = []
    parts: list[str] = []
    columns = 0
    for number, (step, field) in enumerate(zip(steps, contract.fields, strict=True)):
        encode = encoders[field.name]
        read = reading(step)
        if step.expression is not None:
            read, columns = f"columns[{columns}][at]", columns + 1
        if step.is_ingest_time:
            scope[f"e{number}"] = encode
            parts.append("ingest")
            before.append(f"    ingest = e{number}(ingest_ms)")
        elif step.convert is None:
            scope[f"b{number}"] = encode(step.default)
            parts.append(f"b{number}")
        else:
            by_itself = field.role in ("key", "event_time")
            parts.append(_part(number, step, field, encode if by_itself else plain[field.name], read, scope))
    key, event = _names(steps, contract)
    source = "\n".join(
        (
            "def run(records, ingest_ms, out, times, refuse, columns, join=b''.join):",
            "    append, note = out.append, times.append",
            *before,
            "    for at, raw in enumerate(records):" if columns else "    for raw in records:",
            "        try:",
            "            get = raw.get",
            f"            value = join((header, {', '.join(parts)}))",
            "        except (MappingError, AttributeError, TypeError):",
            "            refuse(raw)",
            "        else:",
            f"            append(({key}, value))",
            f"            note({event})",
        )
    )
    exec(compile(source, "<packing>", "exec"), scope)
    function: Run = scope["run"]
    return function


def _part(number: int, step: Step, field: Field, encode: Encode, read: str, scope: dict[str, Any]) -> str:
    """The expression of a field's bytes. Key and event time are kept as `k` and `t` on the way."""
    convert, default = step.convert, step.default
    assert convert is not None
    if field.role in ("key", "event_time"):
        scope[f"c{number}"], scope[f"e{number}"], scope[f"d{number}"] = convert, encode, default
        name = "k" if field.role == "key" else "t"
        value = f"c{number}({read})" if step.required else f"(d{number} if (v := {read}) in EMPTY else c{number}(v))"
        return f"e{number}({name} := {value})"

    required = step.required
    empty = b"" if required else encode(default)

    def slow(value: Any) -> bytes:
        if not required and (value is None or value == ""):
            return empty
        return encode(convert(value))

    scope[f"s{number}"] = slow
    if field.pii is not None or field.name == "event_id":
        return f"s{number}({read})"
    # A text and a number that are equal must not stand for each other, nor 1 for True: one memory for each class.
    scope[f"m{number}"], scope[f"i{number}"] = _Wire(slow), _Wire(slow)
    return f"(m{number}[v] if (v := {read}).__class__ is str else i{number}[v] if v.__class__ is int else s{number}(v))"


def _names(steps: Sequence[Step], contract: Contract) -> tuple[str, str]:
    """The expressions of the key's bytes and of the event time, where they are constant or the time of reading."""
    key, event = "k.encode()", "t"
    for step, field in zip(steps, contract.fields, strict=True):
        if field.role == "key" and step.convert is None:
            key = repr(str(step.default).encode())
        if field.role == "event_time" and step.convert is None:
            event = "ingest_ms" if step.is_ingest_time else repr(step.default)
    return key, event
