"""Whether a manifest may go live: the dry run's checks on a sample of the source, within a few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from connectors.errors import ConnectorError, ManifestError, Text
from connectors.intake import IntakeFactory
from connectors.manifest import Manifest
from connectors.source import Surroundings
from connectors.trial import Objection
from hub.connector_trial import Trial, contract_of, dry_run, is_read

SAMPLE_RECORDS = 200
VERDICT_S = 4.0
"""A source that has not answered by then is judged when it does: whoever applies a manifest waits for this."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`objections`: what stops the manifest; `records`: how many were looked at; `unread`: why none could be."""

    objections: tuple[Objection, ...]
    records: int = 0
    unread: Text | None = None


References = frozenset[tuple[str, str]]
Judge = Callable[[Manifest, References | None], Awaitable[Verdict]]
"""Reads a sample, consumes nothing, takes VERDICT_S at most. Resolves only the references given (None: any): whoever
writes a manifest could else have another unit's secret sent to a server of their own."""


def judge_with(intakes: IntakeFactory, around: Surroundings) -> Judge:
    """A judge with the contracts and the reach of this process."""

    async def judge(manifest: Manifest, references: References | None) -> Verdict:
        return await verdict(trial_of(manifest, intakes, around, references))

    return judge


def trial_of(manifest: Manifest, intakes: IntakeFactory, around: Surroundings, references: References | None) -> Trial:
    """A trial that resolves no other references. ManifestError for an entity that there is not."""
    contract = contract_of(manifest, intakes.contracts)
    within = replace(around, secrets=replace(around.secrets, only=references))
    try:
        return Trial(manifest, contract, intakes.check(manifest), None, within)
    except ManifestError as error:
        return Trial(manifest, contract, None, error, within)


async def verdict(found: Trial) -> Verdict:
    """What stands against going live. A source that cannot be read now (it is away, refuses the login, pushes by
    itself or has nothing yet) is no objection: the first page of a new connector is held against the same rules."""
    if not is_read(found.manifest):
        return Verdict((), unread=Text("nguồn tự đẩy dữ liệu", "the source pushes by itself"))
    try:
        async with asyncio.timeout(VERDICT_S):
            report = await dry_run(found, SAMPLE_RECORDS, None)
    except TimeoutError:
        return Verdict((), unread=Text(f"nguồn không trả lời trong {VERDICT_S:g} giây",
                                       f"the source does not answer within {VERDICT_S:g} s"))  # fmt: skip
    except ConnectorError as error:
        return Verdict((), unread=error.text)
    if report.records == 0 and not report.objections:
        return Verdict((), unread=Text("nguồn chưa có bản ghi nào", "the source has no records yet"))
    return Verdict(report.objections, report.records)
