"""Days that are not like others: public holidays by law, and what the Government announces for a year.

The law's days come from the package `holidays` (this is its home); the announcements from tables that people edit,
`calendars/days/<table>-<year>.csv`, which win.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import holidays
from holidays import registry
from holidays.version import __version__ as edition

from schemas.text import Text

COUNTRIES = frozenset(name for names in registry.COUNTRIES.values() for name in names if name.isupper())
"""ISO 3166 codes of the countries whose holidays are known; read without loading each country's."""


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """A holiday, a day off or a swapped day. `pair`: of a swap, the other day. `source`: who says so."""

    works: bool
    name: Text
    source: str
    pair: date | None = None


@dataclass(frozen=True)
class DayTable:
    """A country's days by law (`country`: ISO 3166, None: none) and announced ones, which win.

    `announced`: the years whose table was checked against the announcement. Pure, but for the memory of years.
    """

    country: str | None
    listed: dict[date, SpecialDay]
    announced: frozenset[int]
    _by_law: dict[int, dict[date, SpecialDay]] = field(default_factory=dict, compare=False, repr=False)

    def on(self, day: date) -> SpecialDay | None:
        """What is special about a day; None on an ordinary one."""
        return self.listed.get(day) or self.by_law(day.year).get(day)

    def by_law(self, year: int) -> dict[date, SpecialDay]:
        """The public holidays of a year with their substitutes, as the package `holidays` knows them."""
        if self.country is None:
            return {}
        found = self._by_law.get(year)
        if found is None:
            names = {
                language: holidays.country_holidays(self.country, years=year, language=code)
                for language, code in (("vi", "vi"), ("en", "en_US"))
            }
            source = f"holidays {edition}"
            found = {
                day: SpecialDay(False, Text(name, names["en"].get(day) or name), source)
                for day, name in names["vi"].items()
                if day.year == year
            }
            self._by_law[year] = found
        return found
