"""The changes that may take an obstacle away, the gentlest first: edits of the new version's JSON, with their words.

Pure. Nothing here knows whether an edit helps; `schemas.proposals` tries them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from schemas.avro_draft import Draft, NoPlaceError
from schemas.avro_tree import Enum, Fixed, Node, Primitive, Record, Union, show, unqualified
from schemas.compatibility import Level, Obstacle, Step, reads
from schemas.default_values import NoDefaultError, default_of

MOST_SHOWN = 160
"""Longest JSON in a proposal, in characters; what is longer is told by its type."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the new version, and how it is told.

    `do` says whether it changed anything; it raises NoPlaceError, having changed nothing, if there is no such place.
    """

    do: Callable[[Draft], bool]
    vi: str
    en: str


def edits(level: Level, obstacle: Obstacle, old: Draft) -> Iterator[Edit]:
    """What might help against an obstacle between the new version and `old`, the gentlest first."""
    match obstacle.finding.rule:
        case "missing_default":
            yield from _field_new(level, obstacle, old) if obstacle.reader_is_new else _field_gone(obstacle, old)
        case "missing_symbols":
            yield from _symbols(obstacle)
        case "name_changed":
            yield from _names(level, obstacle)
        case "ambiguous_alias" if obstacle.reader_is_new:
            yield _without_aliases(obstacle.new_steps)
        case "type_changed" | "missing_union_branch" if obstacle.reader_is_new and not level.read_by_old:
            yield from _branches(obstacle, old)
    for steps in _outwards(obstacle.new_steps, obstacle.old_steps):
        yield _kept(*steps, old)


def _field_new(level: Level, obstacle: Obstacle, old: Draft) -> Iterator[Edit]:
    steps, kind = obstacle.new_steps, obstacle.finding.reader
    if not level.read_by_old:
        yield from _as_alias(obstacle, old)
    try:
        value = default_of(kind)
    except NoDefaultError:
        value = None
    else:
        yield _with_default(steps, value)
    if isinstance(kind, Union) and Primitive("null") in kind.branches:
        yield Edit(lambda draft: _null_first(draft.field(steps)), *_both('đặt "null" lên đầu, "default": null',
                   'write "null" first, with "default": null'))  # fmt: skip
    elif not isinstance(kind, Union):
        yield Edit(
            lambda draft: _nullable(draft.field(steps)),
            f'cho phép trống: "type": ["null", {show(kind)}], "default": null',
            f'make it nullable: "type": ["null", {show(kind)}], "default": null',
        )


def _null_first(item: dict[str, Any]) -> bool:
    if not isinstance(item["type"], list):
        raise NoPlaceError("it is no union any more")
    return _set(item, type=["null", *(branch for branch in item["type"] if branch != "null")], default=None)


def _nullable(item: dict[str, Any]) -> bool:
    return _set(item, type=["null", item["type"]], default=None)


def _set(item: dict[str, Any], **members: Any) -> bool:
    changed = any(key not in item or item[key] != value for key, value in members.items())
    item.update(members)
    return changed


def _as_alias(obstacle: Obstacle, old: Draft) -> Iterator[Edit]:
    """If the new field is the only one that an old one of its type may have been renamed to."""
    steps = obstacle.new_steps

    def do(draft: Draft) -> bool:
        here, there = draft.fields(steps[:-1]), old.fields(obstacle.old_steps)
        item = draft.field(steps)
        names = {each["name"] for each in here} | {alias for each in here for alias in each.get("aliases", ())}
        lost = [each["name"] for each in there if each["name"] not in names and each["type"] == item["type"]]
        taken = {each["name"] for each in there}
        rivals = [each for each in here if each["name"] not in taken and each["type"] == item["type"]]
        if len(lost) != 1 or len(rivals) != 1:
            raise NoPlaceError("no field was renamed for certain")
        return _set(item, aliases=[*item.get("aliases", ()), lost[0]])

    yield Edit(do, 'nếu chỉ đổi tên trường, khai báo tên cũ: "aliases": [tên cũ]',
               'if the field was only renamed, declare the old name: "aliases": [the old name]')  # fmt: skip


def _field_gone(obstacle: Obstacle, old: Draft) -> Iterator[Edit]:
    """The old version needs a field that the new one has no longer: bring it back, optional for what comes after."""
    steps, source = obstacle.new_steps, obstacle.old_steps
    try:
        value = default_of(obstacle.finding.reader)
    except NoDefaultError:
        value = ...
    added = "" if value is ... else f', "default": {_json(value)}'

    def do(draft: Draft) -> bool:
        fields = draft.fields(steps)
        item = {key: member for key, member in old.field(source).items() if key != "aliases"}
        if any(each["name"] == item["name"] for each in fields):
            raise NoPlaceError("it is there")
        item["type"] = draft.take(old, old.spot(source), None)
        if value is not ...:
            item.setdefault("default", value)
        for each in fields:  # an alias beside the field itself would fit two fields of later versions
            each["aliases"] = [alias for alias in each.get("aliases", ()) if alias != item["name"]]
            if not each["aliases"]:
                del each["aliases"]
        fields.append(item)
        return True

    name, kind = source[-1], show(obstacle.finding.reader)
    yield Edit(do, f'giữ lại trường: "name": "{name}", "type": {kind}{added}',
               f'bring the field back: "name": "{name}", "type": {kind}{added}')  # fmt: skip


def _with_default(steps: tuple[Step, ...], value: Any) -> Edit:
    def do(draft: Draft) -> bool:
        return _set(draft.field(steps), default=value)

    return Edit(do, f'thêm "default": {_json(value)}', f'add "default": {_json(value)}')


def _symbols(obstacle: Obstacle) -> Iterator[Edit]:
    steps, names = obstacle.new_steps, obstacle.finding.names
    told = ", ".join(names)

    def back(draft: Draft) -> bool:
        made = draft.enum(steps)
        return _set(made, symbols=[*made["symbols"], *(name for name in names if name not in made["symbols"])])

    def away(draft: Draft) -> bool:
        made = draft.enum(steps)
        left = [symbol for symbol in made["symbols"] if symbol not in names]
        if not left or made.get("default") in names:
            raise NoPlaceError("nothing is left")
        return _set(made, symbols=left)

    if obstacle.reader_is_new:
        yield Edit(back, f"giữ lại các giá trị {told}", f"bring the symbols {told} back")
    else:
        yield Edit(away, f"bỏ các giá trị {told}, phiên bản cũ không có giá trị mặc định",
                   f"take the symbols {told} away: the old version has no default symbol")  # fmt: skip


def _names(level: Level, obstacle: Obstacle) -> Iterator[Edit]:
    new, old = obstacle.finding.reader, obstacle.finding.writer
    if not obstacle.reader_is_new:
        new, old = old or new, new
    assert isinstance(old, Record | Enum | Fixed)
    steps, full = obstacle.new_steps, old.full_name
    if obstacle.reader_is_new and not level.read_by_old:

        def alias(draft: Draft) -> bool:
            made = draft.record(steps)
            return _set(made, aliases=list(dict.fromkeys([*made.get("aliases", ()), full])))

        yield Edit(alias, f'khai báo tên cũ: "aliases": ["{full}"]', f'declare the old name: "aliases": ["{full}"]')
    yield Edit(lambda draft: _rename(draft, steps, unqualified(full)), f"giữ tên {full}", f"keep the name {full}")


def _rename(draft: Draft, steps: tuple[Step, ...], name: str) -> bool:
    made = draft.record(steps)
    before = next(full for full, (raw, _) in draft.defined.items() if raw is made)
    space = before.rpartition(".")[0]
    after = f"{space}.{name}" if space else name
    if after == before:
        return False
    if after in draft.defined:
        raise NoPlaceError("the name is taken")
    draft.rename(before, after)
    return _set(made, name=name, namespace=space)


def _without_aliases(steps: tuple[Step, ...]) -> Edit:
    def do(draft: Draft) -> bool:
        if draft.field(steps).pop("aliases", None) is None:
            raise NoPlaceError("it has none")
        return True

    return Edit(do, 'bỏ "aliases"', 'take its "aliases" away')


def _branches(obstacle: Obstacle, old: Draft) -> Iterator[Edit]:
    """The new version alone must read: it may read the old type beside its own."""
    finding, steps = obstacle.finding, obstacle.new_steps
    before = finding.writer
    if before is None or isinstance(before, Union) or _covered(finding.reader, before):
        return

    def do(draft: Draft) -> bool:
        spot = draft.spot(steps)
        if isinstance(spot.holder, list):
            spot.holder.append(draft.take(old, old.spot(obstacle.old_steps), None))
            return True
        branch = draft.take(old, old.spot(obstacle.old_steps), None)
        present = spot.raw if isinstance(spot.raw, list) else [spot.raw]
        nullable = branch == "null" and "default" not in spot.holder
        spot.holder[spot.key] = [branch, *present] if nullable else [*present, branch]
        return True

    yield Edit(do, f"cho phép thêm kiểu cũ {show(before)} trong một union",
               f"also allow the old type {show(before)}, in a union")  # fmt: skip


def _covered(reader: Node, before: Node) -> bool:
    branches = reader.branches if isinstance(reader, Union) else (reader,)
    return any(isinstance(each, Primitive) and isinstance(before, Primitive) and reads(each, before)
               for each in branches)  # fmt: skip


def _outwards(new: tuple[Step, ...], old: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], tuple[Step, ...]]]:
    """Places around the obstacle on both sides, from within to the whole; a union is taken as one place."""
    while True:
        while new and isinstance(new[-1], int):
            new = new[:-1]
        while old and isinstance(old[-1], int):
            old = old[:-1]
        yield new, old
        if not new or not old:
            return
        new, old = new[:-1], old[:-1]


def _kept(new: tuple[Step, ...], old_steps: tuple[Step, ...], old: Draft) -> Edit:
    """Keep the old type at a place, and with it a default that fits it."""
    path = ".".join(str(step) for step in new if isinstance(step, str))

    def do(draft: Draft) -> bool:
        spot, source = draft.spot(new), old.spot(old_steps)
        before = dict(spot.holder) if isinstance(spot.holder, dict) else {spot.key: spot.raw}
        spot.holder[spot.key] = draft.take(old, source, spot.raw)
        if new and isinstance(new[-1], str) and spot.key == "type":
            spot.holder.pop("default", None)
            if source.key == "type" and "default" in source.holder:
                spot.holder["default"] = source.holder["default"]
        after = spot.holder if isinstance(spot.holder, dict) else {spot.key: spot.raw}
        return bool(before != after)

    try:
        told = _json(old.spot(old_steps).raw)
    except NoPlaceError:
        told = ""
    told = told if 0 < len(told) <= MOST_SHOWN else "…"
    if not new:
        return Edit(do, "giữ nguyên lược đồ của phiên bản trước; đưa phần mới vào trường mới có giá trị mặc định",
                    "keep the earlier version's schema; put what is new into new fields with defaults")  # fmt: skip
    return Edit(do, f"giữ kiểu của «{path}» là {told}", f"keep the type of '{path}': {told}")


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _both(vi: str, en: str) -> tuple[str, str]:
    return vi, en
