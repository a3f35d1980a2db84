"""The page of one connected system, made of its declarations: what it sends, how it is mapped, how its KPIs are
computed, and the law or the assumption behind each. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from connectors.errors import Text
from connectors.manifest import Manifest
from hub.catalogue import rule_words
from hub.promise_words import in_words as promise_words
from schemas.contract import ENVELOPE, Contract
from streams.kpi import Kpi, Term
from streams.plan import EntityPlan


@dataclass(frozen=True, slots=True)
class MappedField:
    """One field: its name, its meaning, where it comes from and what becomes of it."""

    name: str
    meaning: str
    origin: str
    rule: str
    personal: bool


@dataclass(frozen=True, slots=True)
class KpiPart:
    """One part of a KPI: the measure's name, its expression and by which time it is counted."""

    name: str
    sql: str
    time: str


@dataclass(frozen=True, slots=True)
class KpiEntry:
    """One KPI as people read it. `basis`: the legal text, or that the rule is an assumption."""

    id: str
    name: str
    explanation: str
    formula: str
    parts: tuple[KpiPart, ...]
    basis: str
    is_assumption: bool
    owner: str
    target: str


@dataclass(frozen=True, slots=True)
class SystemPage:
    """Everything in one language. `facts` and `lookups` are lines; headings come from `HEADINGS`."""

    connector: str
    title: str
    doc: str
    language: str
    facts: tuple[tuple[str, str], ...]
    lookups: tuple[str, ...]
    fields: tuple[MappedField, ...]
    envelope: tuple[MappedField, ...]
    kpis: tuple[KpiEntry, ...]

    def heading(self, key: str) -> str:
        return _in(HEADINGS[key], self.language)


HEADINGS = {
    "sends": Text("Hệ thống gửi gì", "What it sends"),
    "tables": Text("Tra bảng mã trước khi ánh xạ", "Code tables joined before mapping"),
    "mapped": Text("Ánh xạ vào trường nào", "How it is mapped"),
    "envelope": Text("Trường chung của mọi hệ thống", "Fields that every system has"),
    "kpis": Text("Chỉ số tính thế nào", "How its KPIs are computed"),
    "field": Text("Trường", "Field"),
    "meaning": Text("Ý nghĩa", "Meaning"),
    "origin": Text("Lấy từ", "From"),
    "rule": Text("Xử lý", "What becomes of it"),
    "basis": Text("Căn cứ", "Basis"),
    "owner": Text("Chủ trì", "Owner"),
    "target": Text("Kế hoạch", "Plan"),
    "counted": Text("đếm theo", "counted by"),
    "personal": Text("dữ liệu cá nhân", "personal data"),
    "none": Text("Chưa có chỉ số nào.", "No KPI yet."),
}
KINDS = {
    "flow": Text("tổng trong kỳ", "sum over the period"),
    "ratio": Text("tổng trên tổng, không lấy trung bình tỷ lệ", "sum over sum, never an average of shares"),
    "stock": Text("lũy kế đến cuối kỳ", "cumulative to the end of the period"),
    "members": Text("số mã có phát sinh trên số mã có hiệu lực", "codes with something over codes in force"),
    "due": Text("so hạn với thời điểm xem", "due times against the moment of looking"),
    "forecast": Text("dự báo theo những mục đã xong", "forecast by what was done before"),
    "score": Text("tổng có trọng số của các chỉ số thành phần", "weighted sum of other KPIs"),
}
ROLES = {
    "value": Text("Giá trị", "Value"),
    "less": Text("Trừ", "Less"),
    "numerator": Text("Tử số", "Numerator"),
    "denominator": Text("Mẫu số", "Denominator"),
}
ASSUMPTION = Text(
    "không có văn bản: quy tắc là giả định, sửa được trong khai báo",
    "no legal text: the rule is an assumption that the declaration can change",
)


def system_page(manifest: Manifest, contract: Contract, plan: EntityPlan | None, language: str) -> SystemPage:
    """The page of a connector in `vi` or `en`."""
    rows = [_field(manifest, contract, name, language) for name in manifest.mapping]
    return SystemPage(
        connector=manifest.id,
        title=_in(Text(manifest.name.vi, manifest.name.en), language),
        doc=contract.doc(language),
        language=language,
        facts=tuple(_facts(manifest, contract, language)),
        lookups=tuple(_in(rule_words.lookup_words(lookup), language) for lookup in manifest.lookups),
        fields=tuple(row for row in rows if row.name not in ENVELOPE),
        envelope=tuple(row for row in rows if row.name in ENVELOPE),
        kpis=tuple(_kpi(kpi, plan, language) for kpi in (plan.kpis if plan else ())),
    )


def _facts(manifest: Manifest, contract: Contract, language: str) -> Iterable[tuple[str, str]]:
    yield _in(Text("Cơ quan", "Department"), language), f"{manifest.owner.department} ({manifest.owner.org})"
    yield _in(Text("Đầu mối", "Contact"), language), manifest.owner.contact
    yield _in(Text("Kết nối", "Connected by"), language), manifest.kind
    yield _in(Text("Cam kết độ tươi", "Promise"), language), _in(promise_words(manifest.promise), language)
    yield _in(Text("Dữ liệu", "Data set"), language), f"{contract.title(language)} ({contract.topic})"
    personal = ", ".join(manifest.pii) or _in(Text("không có", "none"), language)
    yield _in(Text("Dữ liệu cá nhân tại nguồn", "Personal data at the source"), language), personal


def _field(manifest: Manifest, contract: Contract, name: str, language: str) -> MappedField:
    rule, field = manifest.mapping[name], contract.by_name[name]
    meaning = field.doc_en if language == "en" else field.doc_vi
    words = _in(rule_words.in_words(rule), language)
    return MappedField(name, meaning, rule_words.origin(rule), words, rule.pseudonym is not None)


def _kpi(kpi: Kpi, plan: EntityPlan | None, language: str) -> KpiEntry:
    parts = tuple(_part(role, term, plan, language) for role, term in kpi.terms.items())
    legal = kpi.legal[language] if kpi.legal else None
    target = kpi.target.get("default")
    return KpiEntry(
        kpi.id,
        kpi.name[language],
        kpi.explanation[language],
        _in(KINDS[kpi.kind], language),
        parts,
        legal or _in(ASSUMPTION, language),
        legal is None,
        kpi.owner,
        "" if target is None else f"{target:g} {kpi.unit[language]}",
    )


def _part(role: str, term: Term, plan: EntityPlan | None, language: str) -> KpiPart:
    measure = plan.measures.get(term.measure) if plan else None
    label = _in(ROLES[role], language) if role in ROLES else role
    if measure is None:
        return KpiPart(label, term.measure, term.time)
    named = measure.name_en if language == "en" else measure.name_vi
    return KpiPart(f"{label}: {named}", measure.sql, term.time)


def _in(text: Text, language: str) -> str:
    return text.en if language == "en" else text.vi


def markdown(page: SystemPage) -> str:
    """The page as Markdown."""
    say = page.heading
    lines = [f"# {page.title}", "", page.doc, "", f"## {say('sends')}", ""]
    lines += [f"- **{name}**: {value}" for name, value in page.facts]
    if page.lookups:
        lines += ["", f"## {say('tables')}", "", *(f"{n}. {line}" for n, line in enumerate(page.lookups, start=1))]
    for key, rows in (("mapped", page.fields), ("envelope", page.envelope)):
        lines += ["", f"## {say(key)}", "", f"| {say('field')} | {say('meaning')} | {say('origin')} | {say('rule')} |"]
        lines += ["|---|---|---|---|", *(_row(row) for row in rows)]
    lines += ["", f"## {say('kpis')}", ""]
    if not page.kpis:
        lines.append(say("none"))
    for kpi in page.kpis:
        lines += [f"### {kpi.name} (`{kpi.id}`)", "", kpi.explanation, "", f"- {kpi.formula}"]
        lines += [f"- {part.name}: `{part.sql}`, {say('counted')} `{part.time}`" for part in kpi.parts]
        lines += [f"- {say('basis')}: {kpi.basis}", f"- {say('owner')}: {kpi.owner}"]
        lines += [f"- {say('target')}: {kpi.target}"] if kpi.target else []
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _row(row: MappedField) -> str:
    cells = (f"`{row.name}`", row.meaning, f"`{row.origin}`" if row.origin else "", row.rule)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
