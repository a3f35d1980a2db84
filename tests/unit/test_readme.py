"""The README speaks of what is there: files, settings, commands, KPIs' kinds."""

from __future__ import annotations

import re
from pathlib import Path

from hub.config import Settings
from streams.plan import KINDS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_file_it_names_exists() -> None:
    named = set(re.findall(r"`((?:schemas|connectors|streams|hub|deploy|tests)/[\w./-]*[\w/])`", TEXT))
    assert len(named) > 20
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_the_picture_exists() -> None:
    assert all((ROOT / path).exists() for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", TEXT))


def test_every_setting_it_names_is_one_with_that_default() -> None:
    rows = re.findall(r"^\| `(IOC_[A-Z_]+)` \| (\S+) \|", TEXT, flags=re.MULTILINE)
    assert len(rows) >= 12
    settings = Settings().model_dump()
    for name, default in rows:
        value: object = settings
        for part in name.removeprefix("IOC_").lower().split("__"):
            assert isinstance(value, dict)
            assert part in value, name
            value = value[part]
        shown = default.strip("`").removeprefix("./")
        assert shown == ("–" if value is None else str(value)), name


def test_it_names_the_kinds_of_kpi_and_the_two_commands() -> None:
    assert all(f"`{kind}`" in TEXT for kind in KINDS)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([a-z-]+)", TEXT):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
