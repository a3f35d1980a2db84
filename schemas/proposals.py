"""A proposal for every obstacle between a new version and the earlier ones, tried: it would be accepted. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from schemas.avro_draft import Draft, NoPlaceError
from schemas.avro_parser import InvalidSchemaError, parse_with
from schemas.avro_tree import Named, Node
from schemas.compatibility import Level, Obstacle, obstacles
from schemas.incompatibility import Incompatibility, tell
from schemas.mending import Edit, edits

MOST_ROUNDS = 12
"""Comparisons with all versions per refusal; most take two."""
MOST_TRIES = 400
"""Edits tried per refusal."""
MOST_WORK = 4_000_000
"""Characters of schema parsed anew for the edits of one refusal: some hundred milliseconds."""


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
    level: Level, schema: Any, node: Node, earlier: Sequence[Earlier], known: Mapping[str, Named] | None = None
) -> Refusal | None:
    """None if the new version may follow the earlier ones (oldest first), else what stands against it.

    `node` is the schema's tree; `known` are the types that its references bring. Nothing is changed.
    """
    nodes = [version.node for version in earlier]
    found = obstacles(level, node, nodes)
    if not found:
        return None
    mender = _Mender(level, earlier, nodes, known or {})
    mended = mender.mend(schema, found)
    if mended is None:
        return Refusal(_told(found, {}))
    return Refusal(_told([*found, *mender.later(found)], mender.told), mended)


Key = tuple[Any, ...]
"""An obstacle's rule and place: the same from one round to the next."""

ENOUGH = Edit(lambda _: None, "các đề xuất khác đã đủ", "the other proposals are enough")
KEEP = Edit(
    lambda _: None,
    "giữ nguyên lược đồ của phiên bản trước; đưa phần mới vào trường mới có giá trị mặc định",
    "keep the earlier version's schema; put what is new into new fields with defaults",
)


def _key(obstacle: Obstacle) -> Key:
    return obstacle.finding.rule, obstacle.new_steps, obstacle.old_steps, obstacle.reader_is_new


def _told(found: Sequence[Obstacle], proposals: Mapping[Key, Sequence[Edit]]) -> list[Incompatibility]:
    told: dict[Incompatibility, None] = {}
    for obstacle in found:
        chosen = proposals.get(_key(obstacle), (ENOUGH,)) if proposals else ()
        item = tell(obstacle.finding, obstacle.reader_is_new)
        vi, en = "; ".join(edit.vi for edit in chosen), "; ".join(edit.en for edit in chosen)
        told[replace(item, proposal_vi=vi, proposal_en=en)] = None
    return list(told)


class _Mender:
    def __init__(
        self, level: Level, earlier: Sequence[Earlier], nodes: Sequence[Node], known: Mapping[str, Named]
    ) -> None:
        self.told: dict[Key, list[Edit]] = {}
        """The edits that were made for each obstacle, those that came to light on the way included."""
        self._level = level
        self._earlier = earlier
        self._nodes = nodes
        self._known = known
        self._drafts: dict[int, Draft] = {}
        self._waiting: dict[Key, list[Edit]] = {}
        self._made: list[tuple[Key, Edit]] = []
        self._seen: dict[Key, Obstacle] = {}
        self._words: set[str] = set()
        self._tries = 0
        self._work = 0

    def mend(self, schema: Any, found: Sequence[Obstacle]) -> Any:
        """The schema changed until nothing stands against it; None if that did not come about."""
        mended, left = schema, list(found)
        for _ in range(MOST_ROUNDS):
            before = mended
            self._words = set()
            for obstacle in left:
                mended = self._mended(mended, obstacle)
            if mended is before:
                break
            left = obstacles(self._level, self._parsed(mended), self._nodes)
            if not left:
                return self._fewest(schema, mended)
        return self._kept(found)

    def later(self, found: Sequence[Obstacle]) -> list[Obstacle]:
        """What stood in the way only after the first edits, and was taken away by others."""
        first = {_key(obstacle) for obstacle in found}
        return [obstacle for key, obstacle in self._seen.items() if key in self.told and key not in first]

    def _mended(self, schema: Any, obstacle: Obstacle) -> Any:
        """With the next edit that leaves a valid schema; unchanged if there is none left."""
        key, number = _key(obstacle), obstacle.version
        self._seen.setdefault(key, obstacle)
        if key not in self._waiting:
            if number not in self._drafts:
                self._drafts[number] = Draft.of(self._earlier[number].schema)
            self._waiting[key] = list(edits(self._level, obstacle, self._drafts[number]))
        waiting = self._waiting[key]
        while waiting and self._tries < MOST_TRIES and self._work < MOST_WORK:
            edit = waiting.pop(0)
            made = self._done(schema, edit)
            # What changes nothing helps only if the same was just done for the other direction.
            if made is not None and (made != schema or edit.en in self._words):
                self._words.add(edit.en)
                self._made.append((key, edit))
                self.told.setdefault(key, []).append(edit)
                return schema if made == schema else made
        return schema

    def _done(self, schema: Any, edit: Edit) -> Any:
        """The schema with an edit; None if it cannot be made, or makes no valid schema."""
        draft = Draft.of(schema)
        self._tries += 1
        try:
            edit.do(draft)
            self._parsed(draft.schema)
        except (NoPlaceError, InvalidSchemaError):
            return None
        return draft.schema

    def _fewest(self, schema: Any, mended: Any) -> Any:
        """Without the edits that did not help and were followed by another, if that is accepted as well."""
        last = dict(self._made)
        if len(last) == len(self._made):
            return mended
        again = schema
        for key, edit in self._made:
            if last[key] is edit:
                again = self._done(again, edit)
                if again is None:
                    return mended
        if obstacles(self._level, self._parsed(again), self._nodes):
            return mended
        self.told = {key: [edit] for key, edit in last.items()}
        return again

    def _kept(self, found: Sequence[Obstacle]) -> Any:
        latest = self._earlier[-1]
        if obstacles(self._level, latest.node, self._nodes):
            return None
        self.told = {_key(obstacle): [KEEP] for obstacle in found}
        return latest.schema

    def _parsed(self, schema: Any) -> Node:
        self._work += len(str(schema))
        return parse_with(schema, self._known)[0]
