"""Which rows a question is about: the caller's unit, and what the question asks for. Pure.

Every SELECT over rows or codes takes its conditions from here, so that no way round a department's bounds is left. All
values reach the warehouse as parameters.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

ORG = "org_code"
"""The unit a row belongs to; asking for a unit means the unit and what is below it."""

Where = tuple[tuple[str, tuple[str, ...]], ...]
"""Dimensions and the values asked for; '' asks for rows without a value."""


@dataclass(frozen=True, slots=True)
class Within:
    """Only rows of the unit `org` and of what is below it; `coded` are the code tables that name a unit."""

    org: str
    coded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows a question is about."""

    within: Within | None = None
    where: Where = ()
    code_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    """Columns of the code tables: a share of members may be asked for by them."""

    def conditions(self, prefix: str, parameters: dict[str, str], columns: Collection[str]) -> str:
        """SQL that begins with ` AND `, or ''. `columns`: those of the rows; what is asked of others is left out. Its
        parameters are added under names that begin with `prefix`."""
        parts = [self._scope(prefix, parameters), *self._asked(prefix, parameters, columns)]
        return "".join(f" AND {part}" for part in parts if part)

    def _scope(self, prefix: str, parameters: dict[str, str]) -> str:
        if self.within is None:
            return ""
        parameters[f"{prefix}_org"] = self.within.org
        return unit_and_below(f"{{{prefix}_org:String}}")

    def _asked(self, prefix: str, parameters: dict[str, str], columns: Collection[str]) -> Iterator[str]:
        for name, values in self.where:
            if name not in columns:
                continue
            names = []
            for number, value in enumerate(values):
                key = f"{prefix}_{name}_{number}"
                parameters[key] = value
                names.append(f"{{{key}:String}}")
            if name == ORG:
                yield f"({' OR '.join(unit_and_below(one) for one in names)})"
            else:
                yield f"ifNull(toString(`{name}`), '') IN ({', '.join(names)})"


def unit_and_below(unit: str) -> str:
    """Rows of a unit (SQL of its code) and of the units below it."""
    return f"({ORG} = {unit} OR startsWith({ORG}, concat({unit}, '.')))"


EVERYTHING = Slice()
