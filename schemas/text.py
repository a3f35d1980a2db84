"""One message in the two languages of the product."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """A message in Vietnamese and English."""

    vi: str
    en: str

    def to(self, language: str) -> str:
        """The text in `vi` or `en`; Vietnamese for anything else."""
        return self.en if language == "en" else self.vi
