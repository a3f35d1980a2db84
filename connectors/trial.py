"""Trying a manifest on a sample: records before and after, and the report that decides whether it may go live. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.drift import new_fields
from connectors.errors import ConnectorError, ManifestError, Text
from connectors.inference import Inferred, infer
from connectors.manifest import Manifest
from connectors.mapping import Mapper
from connectors.masking import MASK
from connectors.personal import is_within, paths_of
from connectors.personal_data import Finding, find_personal, untagged
from connectors.source import Preview, Refusal
from schemas.contract import Contract

DAY_MS = 86_400_000
EXAMINED_RECORDS = 200
REFUSED_SHARE = 0.5
"""A sample of which more than this share is refused breaks the contract: it is the mapping that is wrong."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One record: as the source has it (personal values masked) and as it would be published, or why not."""

    before: Any
    after: dict[str, Any] | None
    refusal: Text | None
    path: str = ""


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a manifest may not go live: `code` is stable, `path` the place in the manifest or the record."""

    code: str
    path: str
    text: Text


class UntaggedPersonalDataError(ConnectorError):
    """A new connector's first records hold personal data that its manifest does not tag: nothing is published."""

    code = "untagged_personal_data"

    def __init__(self, objections: Sequence[Objection]) -> None:
        super().__init__(
            Text("\n".join(one.text.vi for one in objections), "\n".join(one.text.en for one in objections))
        )
        self.objections = tuple(objections)


@dataclass(frozen=True, slots=True)
class Fit:
    """One field of the contract: the paths it comes from (none: not mapped), and how the sample fits it."""

    field: str
    kind: str
    sources: tuple[str, ...]
    filled: int
    refused: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a dry run found. `per_day`: expected records a day, None where the sample does not tell."""

    records: int
    accepted: int
    inferred: tuple[Inferred, ...]
    fits: tuple[Fit, ...]
    personal: tuple[Finding, ...]
    untagged: tuple[Finding, ...]
    new_fields: tuple[str, ...]
    per_day: int | None
    objections: tuple[Objection, ...]


def pairs(manifest: Manifest, mapper: Mapper, preview: Preview, now_ms: int) -> list[Pair]:
    """Each record of a preview before and after, in its order; then what the source itself could not read."""
    personal = _personal_paths(manifest, preview.records)
    found: list[Pair] = []
    for record in preview.records:
        mapped = mapper([record], now_ms)
        shown = shielded(record, personal)
        if mapped.rows:
            found.append(Pair(shown, mapped.rows[0], None))
        else:
            error = mapped.refused[0].error
            found.append(Pair(shown, None, error.reason, error.path))
    found += [Pair(MASK, None, refusal.error.reason, refusal.error.path) for refusal in preview.refused]
    return found


def _personal_paths(manifest: Manifest, records: Sequence[Any]) -> list[str]:
    """Paths whose values are not shown: tagged, pseudonymised, or personal by their looks."""
    pseudonymised = [path for rule in manifest.mapping.values() if rule.pseudonym for path in paths_of(rule)]
    found = [finding.path for finding in untagged(find_personal(records), manifest.pii, manifest.not_personal)]
    return [*manifest.pii, *pseudonymised, *found]


def shielded(value: Any, personal: Sequence[str], path: str = "") -> Any:
    """A record with the values of personal paths masked."""
    if path and any(path == tagged or path.startswith(f"{tagged}.") for tagged in personal):
        return None if value is None else MASK
    if isinstance(value, dict):
        return {key: shielded(item, personal, f"{path}.{key}" if path else str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [shielded(item, personal, path) for item in value]
    return value


def report(manifest: Manifest, contract: Contract, mapper: Mapper, preview: Preview, now_ms: int) -> Report:
    """What would happen if the manifest went live, judged by a sample."""
    mapped = mapper(preview.records, now_ms)
    refused = [*preview.refused, *mapped.refused]
    total = len(preview.records) + len(preview.refused)
    personal = find_personal(preview.records)
    open_findings = untagged_among(personal, manifest)
    objections = [_untagged(finding) for finding in open_findings]
    if total and len(refused) > total * REFUSED_SHARE:
        objections.append(_breaks(refused, total))
    return Report(
        records=total,
        accepted=len(mapped.rows),
        inferred=tuple(infer(preview.records)),
        fits=tuple(_fits(manifest, contract, mapped.rows, refused)),
        personal=tuple(personal),
        untagged=tuple(open_findings),
        new_fields=tuple(new_fields(manifest, preview.records)),
        per_day=_per_day(mapped.rows),
        objections=tuple(objections),
    )


def untagged_among(found: Sequence[Finding], manifest: Manifest) -> list[Finding]:
    """The findings that a manifest neither tags, nor pseudonymises, nor declares not personal."""
    pseudonymised = [path for rule in manifest.mapping.values() if rule.pseudonym for path in paths_of(rule)]
    return untagged(found, [*manifest.pii, *pseudonymised], manifest.not_personal)


def refuse_untagged(manifest: Manifest, records: Sequence[Any], *, read_only: bool = False) -> None:
    """For the first records of a connector, which may have been out of reach when it was applied.

    `read_only`: only of what the mapping reads, for senders that push: what else they send goes nowhere, and they
    would have to send all of it again. Raises UntaggedPersonalDataError; looks at EXAMINED_RECORDS, about 20 ms.
    """
    found = untagged_among(find_personal(records[:EXAMINED_RECORDS]), manifest)
    if read_only:
        read = [path for rule in manifest.mapping.values() for path in paths_of(rule)]
        found = [finding for finding in found if any(is_within(finding.path, path) for path in read)]
    if found:
        raise UntaggedPersonalDataError([_untagged(finding) for finding in found])


def _untagged(finding: Finding) -> Objection:
    return Objection(
        "untagged_personal_data",
        finding.path,
        Text(
            f"trường «{finding.path}» của nguồn giống dữ liệu cá nhân ({finding.kind}); "
            f"thêm vào pii, hoặc vào not_personal nếu chắc chắn không phải",
            f"the source's field “{finding.path}” looks like personal data ({finding.kind}); "
            f"add it to pii, or to not_personal if it surely is not",
        ),
    )


def _breaks(refused: Sequence[Refusal], total: int) -> Objection:
    path, count = Counter(refusal.error.path for refusal in refused).most_common(1)[0]
    reason = next(refusal.error.reason for refusal in refused if refusal.error.path == path)
    return Objection(
        "breaks_contract",
        path,
        Text(
            f"{len(refused)} trên {total} bản ghi mẫu bị từ chối, nhiều nhất ({count}): {reason.vi}",
            f"{len(refused)} of {total} sampled records are refused, most of them ({count}): {reason.en}",
        ),
    )


def nothing_read(objections: tuple[Objection, ...]) -> Report:
    """The report of a manifest that was stopped before a record was read."""
    return Report(0, 0, (), (), (), (), (), None, objections)


def mapping_objections(error: ManifestError) -> tuple[Objection, ...]:
    """A mapping that does not fit its contract, as an objection for each line."""
    lines = zip(error.text.vi.splitlines(), error.text.en.splitlines(), strict=True)
    return tuple(
        Objection("breaks_contract", error.path if not at else "", Text(vi, en)) for at, (vi, en) in enumerate(lines)
    )


def _fits(
    manifest: Manifest, contract: Contract, rows: Sequence[dict[str, Any]], refused: Sequence[Refusal]
) -> list[Fit]:
    found = []
    for field in contract.fields:
        rule = manifest.mapping.get(field.name)
        sources = tuple(paths_of(rule)) if rule is not None else ()
        misfits = sum(
            1
            for refusal in refused
            if any(refusal.error.path and is_within(refusal.error.path, path) for path in sources)
        )
        filled = sum(1 for row in rows if row.get(field.name) is not None)
        found.append(Fit(field.name, field.base, sources, filled, misfits))
    return found


def _per_day(rows: Sequence[dict[str, Any]]) -> int | None:
    """Records a day by the event times of the sample; None for fewer than ten, or for a span under a minute."""
    times: list[int] = sorted(row["event_time"] for row in rows)
    if len(times) < 10 or times[-1] - times[0] < 60_000:
        return None
    return max(1, round((len(times) - 1) * DAY_MS / (times[-1] - times[0])))
