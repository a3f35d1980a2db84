"""Texts by key and language, read from `<language>/LC_MESSAGES/messages.po` once per process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from babel.messages.pofile import read_po

LANGUAGES = ("vi", "en")
DEFAULT = "vi"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The texts of one language."""

    language: str
    texts: Mapping[str, str]

    def __call__(self, key: str, **values: Any) -> str:
        """The text of `key` with `{name}` filled in. A missing key shows as itself; a test forbids it."""
        return self.texts.get(key, key).format(**values) if values else self.texts.get(key, key)

    def cause(self, code: str) -> str:
        """The words for a cause; one without words (a warehouse's error name) shows as itself."""
        return self.texts.get(f"cause.{code}", code)


@cache
def catalogue(language: str) -> Catalogue:
    """The catalogue of `language`; an unknown language gets the default one."""
    chosen = language if language in LANGUAGES else DEFAULT
    path = Path(str(files("hub.locale"))) / chosen / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as handle:
        texts = {str(message.id): str(message.string) for message in read_po(handle, locale=chosen) if message.id}
    return Catalogue(chosen, texts)


def preferred(accept_language: str, default: str = DEFAULT) -> str:
    """The best of `LANGUAGES` for an Accept-Language header; `default` if it wishes for none of them."""
    wishes: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language.split(",")):
        tag, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        primary = tag.strip().lower().partition("-")[0]
        if primary in LANGUAGES and weight > 0:
            wishes.append((-weight, place, primary))
    return min(wishes)[2] if wishes else default
