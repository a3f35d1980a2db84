"""Alert rules loaded: the package's and those of `IOC_ALERTS__DIR`, held against KPIs, calendars and channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml

from hub.alerts.rule import AlertFile, Channel, Rule
from schemas.calendar import WorkingCalendar
from schemas.calendar_files import calendar_called
from schemas.declaration import misdeclared, parse, read_yaml, unknown_key
from schemas.errors import DeclarationError
from schemas.text import Text
from streams.plan import Kpi

PACKAGE = Path(str(files("hub.alerts"))) / "rules"


@dataclass(frozen=True, slots=True)
class Against:
    """What rules lean on: the KPIs by id and the calendars by id."""

    kpis: Mapping[str, Kpi]
    calendars: Mapping[str, WorkingCalendar]


@dataclass(frozen=True, slots=True)
class AlertRules:
    """Rules and channels by id; those of a later directory replace the package's of the same id."""

    rules: Mapping[str, Rule]
    channels: Mapping[str, Channel]
    calendars: Mapping[str, WorkingCalendar]

    def channels_of(self, named: Iterable[str]) -> tuple[str, ...]:
        """The channels named, or the default ones."""
        given = tuple(named)
        return given or tuple(channel.id for channel in self.channels.values() if channel.default)


@dataclass(frozen=True, slots=True)
class _Read:
    file: str
    tree: yaml.Node
    rules: tuple[Rule, ...]
    channels: tuple[Channel, ...]
    optional: bool

    def left_out(self, rule: Rule, against: Against) -> bool:
        """A site without a KPI has no use for the package's rules about it."""
        return self.optional and rule.when.kpi is not None and rule.when.kpi not in against.kpis


def load_alert_rules(against: Against, *directories: Path, package: Path | None = PACKAGE) -> AlertRules:
    """Read `*.yaml` of the directories; DeclarationError lists what is wrong, with file, line, path and cure."""
    rules: dict[str, Rule] = {}
    channels: dict[str, Channel] = {}
    read: list[_Read] = []
    for directory in ([package] if package else []) + list(directories):
        for path in sorted(directory.glob("*.yaml")):
            found = _read(path, optional=directory == package)
            read.append(found)
            rules |= {rule.id: rule for rule in found.rules if not found.left_out(rule, against)}
            channels |= {channel.id: channel for channel in found.channels}
    faults = [fault for one in read for fault in _faults(one, against, channels)]
    if faults:
        raise DeclarationError.of(faults)
    kept = {name: rule for name, rule in rules.items() if rule.enabled}
    return AlertRules(kept, channels, against.calendars)


def _read(path: Path, optional: bool) -> _Read:
    raw, tree = read_yaml(path)
    parsed = parse(AlertFile, raw, path.name, tree)
    faults = []
    for kind, ids in (("rules", [one.id for one in parsed.rules]), ("channels", [one.id for one in parsed.channels])):
        for number, name in enumerate(ids):
            if name in ids[:number]:
                text = Text("đã có mã này ở trên", "stands above already")
                faults.append(misdeclared(path.name, tree, (kind, str(number), "id"), text))
    if faults:
        raise DeclarationError.of(faults)
    return _Read(path.name, tree, parsed.rules, parsed.channels, optional)


def _faults(read: _Read, against: Against, channels: Mapping[str, Channel]) -> list[DeclarationError]:
    found = []
    for number, rule in enumerate(read.rules):
        if read.left_out(rule, against):
            continue
        for at, text in _faults_of(rule, against, channels):
            found.append(misdeclared(read.file, read.tree, ("rules", str(number), *at), text))
    return found


def _faults_of(rule: Rule, against: Against, channels: Mapping[str, Channel]) -> Iterable[tuple[tuple[str, ...], Text]]:
    yield from _kpi_faults(rule, against)
    try:
        calendar_called(rule.calendar, against.calendars, "", None, ("calendar",))
    except DeclarationError:
        yield ("calendar",), Text(*unknown_key(rule.calendar, against.calendars, "lịch", "calendar"))
    named: list[tuple[tuple[str, ...], str]] = []
    named += [(("channels", str(number)), name) for number, name in enumerate(rule.channels)]
    for step, escalation in enumerate(rule.escalate):
        for number, name in enumerate(escalation.channels):
            named.append((("escalate", str(step), "channels", str(number)), name))
    for at, name in named:
        if name not in channels:
            yield at, Text(*unknown_key(name, channels, "kênh", "channel"))


def _kpi_faults(rule: Rule, against: Against) -> Iterable[tuple[tuple[str, ...], Text]]:
    name = rule.when.kpi
    if name is None:
        return
    kind = next(kind for kind in type(rule.when).model_fields if getattr(rule.when, kind) is not None)
    kpi = against.kpis.get(name)
    if kpi is None:
        yield ("when", kind, "kpi"), Text(*unknown_key(name, against.kpis, "chỉ số", "KPI"))
        return
    threshold = rule.when.threshold
    if threshold is None:
        if kpi.kind not in ("flow", "ratio"):
            yield (
                ("when", kind, "kpi"),
                Text(
                    "không phải số theo ngày; quy tắc này cần chỉ số loại flow hoặc ratio",
                    "is no figure of days; this rule needs a KPI of kind flow or ratio",
                ),
            )
        return
    if threshold.limit == "plan" and not kpi.target:
        side = "below" if threshold.below is not None else "above"
        yield (
            ("when", kind, side),
            Text("chỉ số không có kế hoạch (target); hãy ghi một số", "the KPI has no target; write a number"),
        )
    if threshold.by is not None and threshold.by not in kpi.dimensions:
        yield ("when", kind, "by"), Text(*unknown_key(threshold.by, kpi.dimensions, "chiều", "dimension"))
