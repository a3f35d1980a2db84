"""Small pushes mapped together are what each would be by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from connectors.delivery import Delivery, mapped, mapped_together
from connectors.errors import SourceRefusedError, Text
from connectors.intake import Intake, Prepared
from connectors.manifest import load_manifests
from connectors.mapping import compile_mapping
from connectors.pseudonym import Pseudonymiser
from schemas.contract import load_contracts
from tests.hotline import report

CONTRACTS, MANIFESTS = load_contracts(), load_manifests()
AT_MS = 1_700_000_000_000


def intake() -> Intake:
    manifest = MANIFESTS["feedback-1022"]
    contract = CONTRACTS[manifest.entity]
    return Intake(manifest, contract, compile_mapping(manifest, contract, Pseudonymiser(b"k" * 32)), 7)


def deliveries(takes: Intake, *requests: Sequence[Any]) -> list[Delivery]:
    return [Delivery(takes, records) for records in requests]


def test_together_they_are_the_same_messages_in_the_same_order() -> None:
    takes = intake()
    requests = [[report(1)], [report(2, cap_nhat_luc="2022-01-05T09:00:00+07:00"), report(3)], [], [report(4)]]
    each = [mapped(delivery, AT_MS) for delivery in deliveries(takes, *requests)]
    some = deliveries(takes, *requests)
    together = mapped_together(some, AT_MS)
    assert together is not None
    assert together.messages == [message for prepared in each for message in prepared.messages]
    assert [(delivery.accepted, delivery.quarantined) for delivery in some] == [(1, 0), (2, 0), (0, 0), (1, 0)]
    newest = max(prepared.newest_ms or 0 for prepared in each)
    assert {(delivery.newest_ms, delivery.ingest_ms) for delivery in some} == {(newest, AT_MS)}


def test_where_one_record_is_refused_each_request_is_mapped_by_itself() -> None:
    some = deliveries(intake(), [report(1)], [report(2, kenh="fax"), report(3)])
    assert mapped_together(some, AT_MS) is None
    assert [delivery.ingest_ms for delivery in some] == [0, 0]
    for delivery in some:
        mapped(delivery, AT_MS)
    assert [(delivery.accepted, delivery.quarantined) for delivery in some] == [(1, 0), (1, 1)]


@pytest.mark.parametrize("fault", [SourceRefusedError(Text("mới", "a new field")), RuntimeError("a fault of ours")])
def test_a_fault_of_the_intake_is_left_to_the_request_that_has_it(fault: Exception) -> None:
    class Raises(Intake):
        def __init__(self) -> None:
            self.topic = "t"

        def __call__(self, records: Sequence[Any], ingest_ms: int, refused: Sequence[Any] = ()) -> Prepared:
            if "bad" in records:
                raise fault
            return Prepared("t", [(b"k", b"v")] * len(records), [], None)

    some = deliveries(Raises(), ["good"], ["bad"])
    assert mapped_together(some, AT_MS) is None
    assert len(mapped(some[0], AT_MS).messages) == 1
    with pytest.raises(type(fault)):
        mapped(some[1], AT_MS)
