"""Manifests of the tree: what the configs' topic begins with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import cast

from connectors.clock import now_ms
from connectors.compacted import CompactedTopic
from connectors.configs import SEED, Approved, Configs, Entry, Registered, digest, encoded, key_of
from connectors.manifest import Manifest, load_manifest, load_manifests
from schemas.calendar import WorkingCalendar


@dataclass(frozen=True, slots=True)
class Seed:
    """A manifest's text as it stands in the tree, and the same checked."""

    text: str
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class _Document:
    """A text that is read like a file."""

    name: str
    text: str

    def read_text(self, encoding: str) -> str:
        return self.text

    def read_bytes(self) -> bytes:
        return self.text.encode()


ReadManifest = Callable[[str, str], Manifest]
"""A manifest's text and the file's name for messages; ManifestError names file, line and cure."""


def parse_manifest(text: str, file: str, calendars: Mapping[str, WorkingCalendar] | None = None) -> Manifest:
    """A manifest's text, checked; `calendars` are those that `sla` may name: the package's, if None."""
    return load_manifest(cast(Path, _Document(file, text)), calendars)


def reader_with(calendars: Mapping[str, WorkingCalendar]) -> ReadManifest:
    """`parse_manifest` with the calendars of this process."""
    return lambda text, file: parse_manifest(text, file, calendars)


def load_seeds(*roots: Path, calendars: Mapping[str, WorkingCalendar] | None = None) -> dict[str, Seed]:
    """The manifests of the package's `departments/` and of `roots`, by id; a later one replaces an earlier one."""
    manifests = load_manifests(*roots, calendars=calendars)
    texts: dict[str, str] = {}
    for path in _paths(*roots):
        text = path.read_text(encoding="utf-8")
        texts[load_manifest(path, calendars).id] = text
    return {name: Seed(texts[name], manifest) for name, manifest in manifests.items()}


def _paths(*roots: Path) -> Iterator[Path]:
    for root in (Path(str(files("connectors"))) / "departments", *roots):
        yield from sorted(root.glob("*.yaml"))


def seeded(configs: Configs, connector: str, text: str, at: int, org: str = "") -> list[Entry]:
    """What to write for a manifest of the tree: it is registered and approved if it is unknown or older. `org`: of its
    owner, whose keys then reach it. Pure.

    What a person has applied is kept, also against a newer seed; what was removed stays so until the seed changes.
    """
    known, removed = configs.get(connector), configs.removed(connector)
    mark = digest(text)
    if known is None:
        if removed is not None and removed.seed == mark:
            return []
        version = 1
    elif known.registered.by != SEED or (known.registered.seed, known.registered.org) == (mark, org):
        return []
    else:
        version = known.registered.version + 1
    return [Registered(version, text, SEED, at, org, mark), Approved(version, text, SEED, at)]


async def plant(topic: CompactedTopic, configs: Configs, seeds: Mapping[str, Seed]) -> None:
    """Write what `seeded` says for all. Idempotent, also when several processes do it at once."""
    at = now_ms()
    entries = [
        (key_of(type(entry), name), encoded(entry))
        for name, seed in seeds.items()
        for entry in seeded(configs, name, seed.text, at, seed.manifest.owner.org)
    ]
    if entries:
        await topic.put_all(entries)
