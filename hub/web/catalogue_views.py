"""What the catalogue's templates show: texts in the reader's language. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.catalogue.dictionary import FieldRow, field_rows
from hub.catalogue.service import Entry, VersionEntry
from hub.web import formats
from hub.web.views import ConnectorView, Reader, StateView, connector_view, state_view
from schemas.contract import Contract


@dataclass(frozen=True, slots=True)
class EntryView:
    """One data set as shown. `state` None: nothing feeds it yet."""

    entity: str
    title: str
    doc: str
    owner: str
    in_use: bool
    personal: str | None
    records: str
    recent: str
    usable: str
    state: StateView | None
    last_event: str
    sources: tuple[ConnectorView, ...]
    kpis: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version and its changes as (field, sentence)."""

    number: int
    schema_id: int
    current: bool
    changes: tuple[tuple[str, str], ...]


def entry_view(entry: Entry, reader: Reader) -> EntryView:
    """One data set as a line of the list and as the head of its page."""
    contract, volume, language = entry.contract, entry.volume, reader.language
    usable = volume.usable if volume is not None else None
    return EntryView(
        entity=contract.entity,
        title=contract.title(language),
        doc=contract.doc(language),
        owner=contract.owner(language),
        in_use=entry.in_use,
        personal=entry.personal,
        records=reader.number(volume.records if volume is not None else None),
        recent=reader.number(volume.recent if volume is not None else None),
        usable=f"{reader.number(usable)}%" if usable is not None else formats.UNKNOWN,
        state=state_view(entry.state, reader.t) if entry.state is not None else None,
        last_event=reader.clock(volume.last_event if volume is not None else None),
        sources=tuple(connector_view(row, reader) for row in entry.sources),
        kpis=tuple((kpi.id, kpi.name[language]) for kpi in entry.kpis),
    )


def facts(entry: Entry, reader: Reader) -> list[tuple[str, str]]:
    """What is said of a data set beside its fields: (message key, text)."""
    contract, volume = entry.contract, entry.volume
    t = reader.t
    found = [
        ("catalogue.owner", contract.owner(reader.language)),
        ("catalogue.kind", t(f"catalogue.kind.{contract.kind}")),
        ("catalogue.legal", contract.legal or formats.UNKNOWN),
        ("catalogue.topic", contract.topic),
    ]
    if contract.is_aggregate:
        found.append(("catalogue.personal", t("catalogue.aggregate")))
    elif entry.personal is not None:
        found.append(("catalogue.personal", t(f"catalogue.personal.{entry.personal}")))
    if volume is not None and entry.in_use:
        usable = f"{reader.number(volume.usable)}%" if volume.usable is not None else formats.UNKNOWN
        found += [
            ("catalogue.recent", reader.number(volume.recent)),
            ("catalogue.usable", usable),
            ("catalogue.complete", f"{reader.number(volume.records)} / {reader.number(volume.in_topic)}"),
            ("catalogue.applied", reader.number(volume.applied)),
            ("catalogue.superseded", reader.number(volume.superseded)),
            ("catalogue.repeats", reader.number(volume.repeats)),
            ("catalogue.deleted", reader.number(volume.deleted)),
            ("catalogue.refused", reader.number(volume.quarantined)),
        ]
    return found


def fields(
    contract: Contract,
    reader: Reader,
    sources: Mapping[str, Sequence[tuple[str, str]]],
    kpis: Mapping[str, Sequence[str]],
    *,
    envelope: bool,
) -> list[FieldRow]:
    """The entity's own fields, or those that every contract has."""
    return [row for row in field_rows(contract, reader.language, sources, kpis) if row.envelope is envelope]


def version_view(entry: VersionEntry, reader: Reader) -> VersionView:
    shown = tuple((change.path, change.text(reader.language)) for change in entry.changes)
    return VersionView(entry.registered.version, entry.registered.schema_id, entry.current, shown)
