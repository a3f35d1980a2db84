"""What a change of a contract would do: compatibility, connectors, KPIs, tables, and whether to rebuild. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.manifest import Manifest
from hub.catalogue.lineage import feeding, kpi_fields
from schemas.avro_parser import parse_schema
from schemas.compatibility import Level
from schemas.contract import Contract
from schemas.contract_diff import Change, changes
from schemas.incompatibility import Incompatibility
from schemas.proposals import Earlier, propose
from streams.plan import EntityPlan
from streams.warehouse.evolution import EvolutionError, alterations
from streams.warehouse.schema import column_type


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that a change touches. `what`: connector|kpi|table|export|rebuild; `blocks`: the change must wait until
    somebody has seen to it."""

    what: str
    name: str
    blocks: bool
    vi: str
    en: str

    def text(self, language: str) -> str:
        return self.en if language == "en" else self.vi


@dataclass(frozen=True, slots=True)
class Impact:
    """`level` is the registry's rule for the subject, `base` what the contract was compared with."""

    entity: str
    subject: str
    base: str
    level: str
    changes: tuple[Change, ...]
    incompatibilities: tuple[Incompatibility, ...]
    effects: tuple[Effect, ...]

    @property
    def rebuild(self) -> bool:
        """Whether figures must be computed anew after the change."""
        return any(effect.what == "rebuild" for effect in self.effects)

    @property
    def refused(self) -> bool:
        return bool(self.incompatibilities) or any(effect.blocks for effect in self.effects)


def assess(
    new: Contract,
    old: Contract | None,
    versions: Sequence[Mapping[str, Any]],
    level: str,
    base: str,
    plan: EntityPlan | None,
    manifests: Mapping[str, Manifest],
) -> Impact:
    """What it would do to put `new` in the place of `old` (None: there is none yet). `versions`: the schemas registered
    so far, oldest first."""
    earlier = [Earlier(dict(schema), parse_schema(dict(schema))) for schema in versions]
    refusal = propose(Level(level), new.schema, parse_schema(new.schema), earlier, decimals=True)
    against = refusal.found if refusal is not None else []
    found = tuple(changes(old.schema if old else {}, new.schema)) if old or not versions else ()
    effects: list[Effect] = []
    if old is not None:
        touched = {change.path for change in found if change.kind in ("added", "removed", "type", "symbols", "default")}
        removed = {field.name for field in old.fields} - {field.name for field in new.fields}
        effects += _connectors(new, old, removed, manifests)
        effects += _kpis(touched, removed, plan)
        effects += _tables(new, old)
        effects += _rebuild(new, old, plan)
    return Impact(new.entity, new.subject, base, level, found, tuple(against), tuple(effects))


def _connectors(new: Contract, old: Contract, removed: set[str], manifests: Mapping[str, Manifest]) -> Iterator[Effect]:
    needed = {field.name for field in new.fields if not field.has_default and not field.nullable}
    for manifest in feeding(new.entity, manifests):
        gone = ", ".join(sorted(set(manifest.mapping) & removed))
        missing = ", ".join(sorted(needed - set(manifest.mapping)))
        added = ", ".join(field.name for field in new.fields if field.name not in {*old.by_name, *manifest.mapping})
        if gone:
            yield Effect(
                *("connector", manifest.id, True),
                f"tệp mô tả còn ghi các trường bị bỏ: {gone}; hãy bỏ chúng khỏi mapping trước",
                f"its manifest maps fields that go: {gone}; take them out of its mapping first",
            )
        if missing:
            yield Effect(
                *("connector", manifest.id, True),
                f"tệp mô tả chưa có các trường bắt buộc: {missing}; hãy thêm vào mapping hoặc đặt mặc định",
                f"its manifest lacks required fields: {missing}; map them, or give them a default",
            )
        if added and not missing:
            yield Effect(
                *("connector", manifest.id, False),
                f"chưa gửi các trường mới: {added}; chúng nhận giá trị mặc định",
                f"does not send the new fields yet: {added}; they get their default",
            )
        if not (gone or missing or added):
            yield Effect(
                *("connector", manifest.id, False),
                "gửi theo phiên bản mới từ lần khởi động sau",
                "sends by the new version from its next start",
            )


def _kpis(touched: set[str], removed: set[str], plan: EntityPlan | None) -> Iterator[Effect]:
    for kpi in plan.kpis if plan is not None else ():
        used = kpi_fields(kpi, plan) if plan is not None else frozenset()
        gone, other = ", ".join(sorted(used & removed)), ", ".join(sorted(used & touched - removed))
        if gone:
            yield Effect(
                *("kpi", kpi.id, True),
                f"dùng trường bị bỏ: {gone}; hãy sửa streams/kpis/{kpi.entity}.yaml trước",
                f"uses fields that go: {gone}; change streams/kpis/{kpi.entity}.yaml first",
            )
        elif other:
            yield Effect(*("kpi", kpi.id, False), f"dùng trường thay đổi: {other}", f"uses changed fields: {other}")


def _tables(new: Contract, old: Contract) -> Iterator[Effect]:
    existing = {field.name: column_type(field) for field in old.fields}
    try:
        actions = alterations(new.fields, existing, new.changes_table)
    except EvolutionError as error:
        yield Effect(*("table", new.changes_table, True), f"bảng không theo được: {error}", str(error))
        return
    if actions:
        said = "; ".join(actions)
        for table in (new.changes_table, new.current_table):
            yield Effect(*("table", table, False), f"ALTER TABLE: {said}", f"ALTER TABLE: {said}")
    columns = [field.name for field in new.fields if field.name not in existing]
    kept = [name for name in existing if name not in new.by_name]
    if columns or kept:
        plus, minus = ", ".join(columns) or "–", ", ".join(kept) or "–"
        yield Effect(
            *("export", f"{new.current_table}, /v1/catalogue/{new.entity}", False),
            f"truy vấn và tệp tải về: thêm cột {plus}; cột không còn nhận dữ liệu {minus}",
            f"queries and downloads: new columns {plus}; columns that get no more data {minus}",
        )


def _rebuild(new: Contract, old: Contract, plan: EntityPlan | None) -> Iterator[Effect]:
    command = f"ioc rebuild {new.entity}"
    if new.kind != old.kind:
        yield Effect(
            *("rebuild", command, True),
            f"kind đổi từ {old.kind} sang {new.kind}: bộ xử lý nhớ khóa theo cách khác; hãy tạo thực thể mới",
            f"kind changes from {old.kind} to {new.kind}: workers remember keys otherwise; make a new entity",
        )
    for name in _changed_dimensions(new, old, plan.dimensions if plan is not None else ()):
        yield Effect(
            *("rebuild", command, False),
            f"chiều {name} đổi kiểu: các bảng tổng hợp theo nó phải tính lại",
            f"the dimension {name} changes its type: rollups by it must be computed anew",
        )


def _changed_dimensions(new: Contract, old: Contract, dimensions: Iterable[str]) -> Iterator[str]:
    for name in dimensions:
        before, after = old.by_name.get(name), new.by_name.get(name)
        if before and after and (before.base, before.nullable) != (after.base, after.nullable):
            yield name
