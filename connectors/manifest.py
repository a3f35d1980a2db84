"""Manifests: one YAML file per connector says what is read, whose it is, how fresh, and how it maps.

The block `source` belongs to the kind: `connectors/<kind>_config.py` names its model `Config`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, Field, field_validator

from connectors.declaration import BilingualText, Section, parse, read_yaml, unknown_key
from connectors.errors import ManifestError, Text
from connectors.lookup_config import Lookup
from connectors.rules import FieldRule
from connectors.schedule import Schedule, Timetable
from schemas.calendar import WorkingCalendar
from schemas.calendar_files import package_calendars
from schemas.declaration import lines_of, misdeclared
from schemas.errors import DeclarationError
from schemas.promise import Promise
from schemas.sla import Sla
from schemas.time import zone_called

ID = r"^[a-z0-9][a-z0-9-]{0,62}$"
"""What a connector's id looks like."""
Drift = Literal["evolve", "freeze", "discard_row", "discard_value"]
"""New fields of a record: `evolve` leaves them aside and names them in reports, `discard_value` leaves them aside in
silence, `discard_row` quarantines the record, `freeze` stops the connector until somebody has decided."""

__all__ = ["FieldRule", "Manifest", "load_manifest", "load_manifests"]


class Owner(Section):
    """Whose system it is; `org` is the organisation code a department's key is scoped by."""

    department: str = Field(min_length=1)
    contact: str = Field(min_length=1)
    org: str = Field(min_length=1)


class Head(Section):
    """A manifest as written; `source` is checked by the model of its kind."""

    id: str = Field(pattern=ID)
    kind: str
    entity: str
    source_system: str
    name: BilingualText
    system: BilingualText | None = None
    owner: Owner
    sla: Sla
    timezone: str = "Asia/Ho_Chi_Minh"
    source: dict[str, Any]
    schedule: Schedule | None = None
    pii: tuple[str, ...] = ()
    not_personal: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    drift: Drift = "evolve"
    lookups: tuple[Lookup, ...] = ()
    mapping: dict[str, FieldRule]

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        zone_called(value)
        return value


@dataclass(frozen=True, slots=True)
class Manifest:
    """A checked manifest. `source` is the kind's own `Config`; `pii` lists personal paths of the raw record.

    `not_personal`: paths that look personal and, the department says, are not. `ignore`: fields of the record that
    are known and not needed; `drift`: what a field that is neither mapped nor named there does. `system`: the name
    under which the connectors of one system stand together. `file` and `lines` (by dotted path) say where things stand.
    """

    id: str
    kind: str
    entity: str
    source_system: str
    name: BilingualText
    owner: Owner
    sla: Sla
    promise: Promise
    zone: ZoneInfo
    source: Any
    pii: tuple[str, ...]
    mapping: dict[str, FieldRule]
    not_personal: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    drift: Drift = "evolve"
    lookups: tuple[Lookup, ...] = ()
    timetable: Timetable | None = None
    system: BilingualText | None = None
    file: str = ""
    lines: Mapping[str, int] = dataclass_field(default_factory=dict, repr=False)

    @property
    def tables(self) -> frozenset[str]:
        """The code tables that its lookups and rules name."""
        named = {rule.table.name for rule in self.mapping.values() if rule.table is not None}
        return frozenset(named | {lookup.table for lookup in self.lookups})

    def fault(self, loc: tuple[str, ...], problem: Text) -> ManifestError:
        """An error at a place of the manifest; `problem` goes on after the quoted path."""
        known = [".".join(loc[:length]) for length in range(len(loc), 0, -1)]
        line = next((self.lines[path] for path in known if path in self.lines), None)
        return ManifestError.of(misdeclared(self.file or self.id, None, loc, problem, line))


def source_kinds() -> tuple[str, ...]:
    """The kinds that exist: the modules under `connectors/sources/`."""
    package = importlib.import_module("connectors.sources")
    return tuple(sorted(module.name for module in pkgutil.iter_modules(package.__path__)))


def config_model(kind: str) -> type[BaseModel]:
    """The model of the block `source` of a kind that exists. Its clients are not imported: who only reads manifests, as
    the stream worker, does not pay for them (21 MiB and 0.4 to 0.9 s)."""
    model: type[BaseModel] = importlib.import_module(f"connectors.{kind}_config").Config
    return model


def load_kinds() -> None:
    """Import every kind's module and what it stands on: seconds, for a thread at the start. Idempotent."""
    for kind in source_kinds():
        importlib.import_module(f"connectors.sources.{kind}")


def _config_model(kind: str, file: str, tree: yaml.Node) -> type[BaseModel]:
    kinds = source_kinds()
    if kind not in kinds:
        raise ManifestError.of(misdeclared(file, tree, ("kind",), Text(*unknown_key(kind, kinds, "kiểu", "kind"))))
    return config_model(kind)


def load_manifest(path: Path, calendars: Mapping[str, WorkingCalendar] | None = None) -> Manifest:
    """One manifest; ManifestError names file, line and cure. Reads the file, no reference is resolved.

    `calendars` are those that `sla` may name; the package's, if None.
    """
    raw, tree = read_yaml(path)
    head = parse(Head, raw, path.name, tree)
    model = _config_model(head.kind, path.name, tree)
    source = parse(model, head.source, path.name, tree, prefix=("source",))
    return Manifest(
        id=head.id,
        kind=head.kind,
        entity=head.entity,
        source_system=head.source_system,
        name=head.name,
        owner=head.owner,
        sla=head.sla,
        promise=_promise(head.sla, calendars, path.name, tree),
        zone=ZoneInfo(head.timezone),
        source=source,
        pii=head.pii,
        mapping=head.mapping,
        not_personal=head.not_personal,
        ignore=head.ignore,
        drift=head.drift,
        lookups=head.lookups,
        timetable=_timetable(head.schedule, calendars, path.name, tree),
        system=head.system,
        file=path.name,
        lines=lines_of(tree),
    )


def _timetable(
    schedule: Schedule | None, calendars: Mapping[str, WorkingCalendar] | None, file: str, tree: yaml.Node
) -> Timetable | None:
    try:
        return None if schedule is None else schedule.timetable(_known(calendars), file, tree)
    except DeclarationError as error:
        raise ManifestError.of(error) from None


def _known(calendars: Mapping[str, WorkingCalendar] | None) -> Mapping[str, WorkingCalendar]:
    return package_calendars() if calendars is None else calendars


def _promise(sla: Sla, calendars: Mapping[str, WorkingCalendar] | None, file: str, tree: yaml.Node) -> Promise:
    try:
        return sla.promise(_known(calendars), file, tree)
    except DeclarationError as error:
        raise ManifestError.of(error) from None


def load_manifests(*roots: Path, calendars: Mapping[str, WorkingCalendar] | None = None) -> dict[str, Manifest]:
    """All manifests by id from the package's `departments/`, then `roots`; a later one replaces an earlier one."""
    manifests: dict[str, Manifest] = {}
    for root in (Path(str(files("connectors"))) / "departments", *roots):
        found: dict[str, str] = {}
        for path in sorted(root.glob("*.yaml")):
            manifest = load_manifest(path, calendars)
            if manifest.id in found:
                raise ManifestError(
                    Text(
                        f"{path.name}: mã đầu nối «{manifest.id}» đã có trong {found[manifest.id]}",
                        f"{path.name}: the connector id “{manifest.id}” is already in {found[manifest.id]}",
                    )
                )
            found[manifest.id] = path.name
            manifests[manifest.id] = manifest
    return manifests
