"""A proposal for every obstacle between a new version and the earlier ones, tried: it would be accepted. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from schemas.avro_draft import Draft, NoPlaceError
from schemas.avro_parser import InvalidSchemaError, parse_with
from schemas.avro_tree import Named, Node
from schemas.compatibility import Level, Obstacle, obstacles
from schemas.incompatibility import NOTHING, Incompatibility, tell, told
from schemas.mending import Edit, edits

MOST_ROUNDS = 12
"""Comparisons with all versions per refusal; most take two."""
MOST_OBSTACLES = 200
"""Of more, each is told with one proposal: that the earlier version is kept. A client waits for the answer."""
MOST_WORK = 10_000_000
"""Obstacles times characters of the schema: likewise for few obstacles in a schema of ten thousand fields."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier version: its JSON decoded, and its tree."""

    schema: Any
    node: Node


@dataclass(frozen=True, slots=True)
class Refusal:
    """What stands against a new version, each with its proposal, and the schema that all proposals together make.

    `schema` None: nothing that was tried is accepted, and no proposal is made.
    """

    found: list[Incompatibility]
    schema: Any = None


def propose(
    level: Level,
    schema: Any,
    node: Node,
    earlier: Sequence[Earlier],
    known: Mapping[str, Named] | None = None,
    *,
    decimals: bool = False,
    found: Sequence[Obstacle] | None = None,
) -> Refusal | None:
    """None if the new version may follow the earlier ones (oldest first), else what stands against it.

    `node` is the schema's tree; `known` are the types that its references bring; `decimals` as in
    `schemas.compatibility`; `found`: the obstacles, if they are known already. Nothing is changed.
    """
    mender = _Mender(level, earlier, known or {}, decimals)
    found = mender.obstacles(node) if found is None else found
    if not found:
        return None
    mended = mender.mend(schema, found) if _is_little(found, schema) else None
    if mended is not None:
        return Refusal(_told([*found, *mender.later(found)], mender.told), mended)
    kept = mender.kept()
    return Refusal(told(found, (KEEP.vi, KEEP.en) if kept is not None else NOTHING), kept)


def _is_little(found: Sequence[Obstacle], schema: Any) -> bool:
    return len(found) <= MOST_OBSTACLES and len(found) * len(orjson.dumps(schema)) <= MOST_WORK


Key = tuple[Any, ...]
"""An obstacle's rule and place: the same from one round to the next."""

ENOUGH = Edit(lambda _: False, "các đề xuất khác đã đủ", "the other proposals are enough")
KEEP = Edit(
    lambda _: False,
    "giữ nguyên lược đồ của phiên bản trước; đưa phần mới vào trường mới có giá trị mặc định",
    "keep the earlier version's schema; put what is new into new fields with defaults",
)


def _key(obstacle: Obstacle) -> Key:
    return obstacle.finding.rule, obstacle.new_steps, obstacle.old_steps, obstacle.reader_is_new


def _told(found: Sequence[Obstacle], proposals: Mapping[Key, Sequence[Edit]]) -> list[Incompatibility]:
    """In words, with their proposals; what reads alike is told once."""
    by_place: dict[Incompatibility, None] = {}
    for obstacle in found:
        chosen = proposals.get(_key(obstacle), (ENOUGH,))
        proposal = "; ".join(edit.vi for edit in chosen), "; ".join(edit.en for edit in chosen)
        by_place[tell(obstacle.finding, obstacle.reader_is_new, proposal)] = None
    return list(by_place)


class _Mender:
    def __init__(self, level: Level, earlier: Sequence[Earlier], known: Mapping[str, Named], decimals: bool) -> None:
        self.told: dict[Key, list[Edit]] = {}
        """The edits that were made for each obstacle, those that came to light on the way included."""
        self._level = level
        self._earlier = earlier
        self._nodes = [version.node for version in earlier]
        self._known = known
        self._decimals = decimals
        self._drafts: dict[int, Draft] = {}
        self._waiting: dict[Key, Iterator[Edit]] = {}
        self._made: list[tuple[Key, Edit]] = []
        self._seen: dict[Key, Obstacle] = {}

    def obstacles(self, node: Node) -> list[Obstacle]:
        """What stands against a schema."""
        return obstacles(self._level, node, self._nodes, decimals=self._decimals)

    def mend(self, schema: Any, found: Sequence[Obstacle]) -> Any:
        """The schema changed until nothing stands against it; None if that did not come about."""
        mended, left = schema, list(found)
        for _ in range(MOST_ROUNDS):
            made = self._round(mended, left)
            if made is None:
                break
            mended, node = made
            left = self.obstacles(node)
            if not left:
                return self._fewest(schema, mended)
        return None

    def _round(self, schema: Any, left: Sequence[Obstacle]) -> tuple[Any, Node] | None:
        """With one more edit against each obstacle; None if there is none left, or if they make no valid schema."""
        draft, words = Draft.of(schema), set[str]()
        for obstacle in left:
            key = _key(obstacle)
            self._seen.setdefault(key, obstacle)
            edit = self._next(draft, key, obstacle, words)
            if edit is not None:
                words.add(edit.en)
                self._made.append((key, edit))
                self.told.setdefault(key, []).append(edit)
        node = self._parsed(draft.schema) if words else None
        return None if node is None else (draft.schema, node)

    def _next(self, draft: Draft, key: Key, obstacle: Obstacle, words: set[str]) -> Edit | None:
        """The next edit against an obstacle that can be made, made."""
        if key not in self._waiting:
            number = obstacle.version
            if number not in self._drafts:
                self._drafts[number] = Draft.of(self._earlier[number].schema)
            self._waiting[key] = edits(self._level, obstacle, self._drafts[number])
        for edit in self._waiting[key]:
            with suppress(NoPlaceError):
                # What changes nothing helps only if the same was just done for the other direction.
                if edit.do(draft) or edit.en in words:
                    return edit
        return None

    def _fewest(self, schema: Any, mended: Any) -> Any:
        """Without the edits that did not help and were followed by another, if that is accepted as well."""
        last = dict(self._made)
        if len(last) == len(self._made):
            return mended
        draft = Draft.of(schema)
        try:
            for key, edit in self._made:
                if last[key] is edit:
                    edit.do(draft)
        except NoPlaceError:
            return mended
        node = self._parsed(draft.schema)
        if node is None or self.obstacles(node):
            return mended
        self.told = {key: [edit] for key, edit in last.items()}
        return draft.schema

    def later(self, found: Sequence[Obstacle]) -> list[Obstacle]:
        """What stood in the way only after the first edits, and was taken away by others."""
        first = {_key(obstacle) for obstacle in found}
        return [obstacle for key, obstacle in self._seen.items() if key in self.told and key not in first]

    def kept(self) -> Any:
        """The latest version as it is; None if even that would not be accepted."""
        latest = self._earlier[-1]
        return None if self.obstacles(latest.node) else latest.schema

    def _parsed(self, schema: Any) -> Node | None:
        try:
            return parse_with(schema, self._known)[0]
        except InvalidSchemaError:
            return None
