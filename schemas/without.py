"""Schemas that a batch does without, because the registry did not give them for as long as a batch may wait. Pure."""

from __future__ import annotations

from dataclasses import dataclass

MOST_BYTES = 3_500
"""Of the text: Kafka takes 4,096 bytes beside a committed offset by default, some of which the commit needs."""


@dataclass(frozen=True, slots=True)
class Without:
    """Ids of schemas: `ids`, or all others if `all_but`. Contains the ids that a batch does without."""

    ids: frozenset[int] = frozenset()
    all_but: bool = False

    def __contains__(self, schema_id: int) -> bool:
        return (schema_id in self.ids) != self.all_but

    def __bool__(self) -> bool:
        return bool(self.ids) or self.all_but

    @property
    def text(self) -> str:
        """As it is written beside a commit; empty for none."""
        if not self:
            return ""
        return ("+" if self.all_but else "-") + ",".join(map(str, sorted(self.ids)))

    def joined(self, ids: frozenset[int], known: frozenset[int]) -> Without | None:
        """Doing without `ids` too, in a batch whose other schemas are `known`; None if neither list has room."""
        if self.all_but:
            return Without(self.ids - ids, all_but=True)
        for made in (Without(self.ids | ids), Without(known, all_but=True)):
            if len(made.text) <= MOST_BYTES:
                return made
        return None


NONE = Without()


def parse_without(text: str) -> Without | None:
    """The reverse of `text`; None if it is not of this form."""
    if not text:
        return NONE
    sign, listed = text[0], text[1:]
    parts = listed.split(",") if listed else []
    if sign not in "+-" or not all(part.isdigit() for part in parts) or (sign == "-" and not parts):
        return None
    return Without(frozenset(map(int, parts)), all_but=sign == "+")
