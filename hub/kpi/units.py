"""Administrative units as they were and are: which code set a day has, districts, what became of a unit. Pure.

A unit's code may exist in two sets and mean two areas, so a key names its set: `2022/25459`. A figure by commune is
shown as of each day's code set, by the old districts, or re-mapped to the units of today; the answer says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from schemas.codes_table import CodeTable
from schemas.contract import Contract

TABLE, SUCCESSORS = "admin_unit", "admin_unit_successor"

COMMUNE, DISTRICT, TODAY = "commune", "district", "commune_today"
VIEWS = (COMMUNE, DISTRICT, TODAY)
"""By what a KPI with an administrative unit may be divided beside its own dimensions."""


@dataclass(frozen=True, slots=True)
class UnitsNote:
    """How units are shown. `codesets`: the sets that the keys come from; `remapped`: units put into their successor;
    `split`: of those, units of which parts went elsewhere too; `unknown`: keys of no set."""

    view: str
    codesets: tuple[str, ...]
    remapped: int = 0
    split: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Units:
    """The code sets of administrative units. `since`: first day of each set, in order."""

    since: tuple[tuple[str, date], ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)
    successors: Mapping[str, str] = field(default_factory=dict)
    divided: frozenset[str] = frozenset()

    @classmethod
    def of(cls, tables: Mapping[str, CodeTable]) -> Units:
        """The units of the code tables; none without a table of units."""
        if TABLE not in tables:
            return cls()
        rows = [dict(zip(tables[TABLE].columns, row, strict=True)) for row in tables[TABLE].rows]
        since: dict[str, date] = {}
        for row in rows:
            first = date.fromisoformat(row["valid_from"])
            since[row["codeset"]] = min(first, since.get(row["codeset"], first))
        kinds = {_key(row): row["kind"] for row in rows}
        parents = {
            _key(row): f"{row['codeset']}/{row['parent']}"
            for row in rows
            if kinds.get(f"{row['codeset']}/{row['parent']}") == "district"
        }
        successors, divided = _successors(tables.get(SUCCESSORS), sorted(since, key=lambda name: since[name]))
        return cls(
            tuple(sorted(since.items(), key=lambda item: item[1])),
            {_key(row): row["name_vi"] for row in rows},
            parents,
            successors,
            divided,
        )

    def label(self, column: str) -> str:
        """SQL of a row's key: the set of its day, and its code."""
        later = "".join(f"day >= toDate('{day.isoformat()}'), '{name}', " for name, day in reversed(self.since[1:]))
        first = f"'{self.since[0][0]}'"
        return f"concat({f'multiIf({later}{first})' if later else first}, '/', ifNull(toString(`{column}`), ''))"

    def mapped(self, key: str, view: str) -> str:
        """Where a key belongs in a view; `SET/` where it has no place."""
        if view == DISTRICT:
            return self.parents.get(key, key.partition("/")[0] + "/")
        return self.successors.get(key, key) if view == TODAY else key

    def note(self, keys: Iterable[str], view: str) -> UnitsNote:
        """What was done to the keys for a view."""
        given = [key for key in keys if not key.endswith("/")]
        known = [key for key in given if key in self.names]
        moved = [key for key in known if view == TODAY and key in self.successors]
        shown = sorted({self.mapped(key, view).partition("/")[0] for key in known})
        return UnitsNote(view, tuple(shown), len(moved), len(self.divided & set(moved)), len(given) - len(known))


def unit_field(contract: Contract, dimensions: Iterable[str]) -> str | None:
    """The dimension that names an administrative unit, or None."""
    return next((name for name in dimensions if (one := contract.by_name.get(name)) and one.codes == TABLE), None)


def _key(row: Mapping[str, str]) -> str:
    return f"{row['codeset']}/{row['code']}"


def _successors(table: CodeTable | None, sets: list[str]) -> tuple[dict[str, str], frozenset[str]]:
    if table is None or len(sets) < 2:
        return {}, frozenset()
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    main = {
        f"{_before(row, sets)}/{row['code']}": _key({**row, "code": row["successor"]})
        for row in rows
        if row["main"] == "1"
    }
    parts = [f"{_before(row, sets)}/{row['code']}" for row in rows]
    return main, frozenset(key for key in parts if parts.count(key) > 1)


def _before(row: Mapping[str, str], sets: list[str]) -> str:
    """The set that was in force before the successor's."""
    place = sets.index(row["codeset"]) if row["codeset"] in sets else 1
    return sets[max(0, place - 1)]
