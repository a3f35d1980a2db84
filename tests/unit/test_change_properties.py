"""Whatever is shuffled, repeated, replayed or cut differently: KPIs and current states are those of the assertions."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from streams.change import DELETED, OFFSET, STATE_OFFSET, compute
from tests.core_in_process import core
from tests.dossier_model import (
    COMMUNES,
    DOSSIER,
    FIELDS,
    INSTANTS,
    UNITS,
    Bucket,
    Event,
    assertions,
    current_in,
    frame_of,
    from_views,
    identified,
    last_assertions,
    rollups,
    same_content,
    states,
    summed,
)
from tests.dossiers import DAY_MS, dossier

PAYLOAD = [contract_field.name for contract_field in DOSSIER.fields]
TIMES = [contract_field.name for contract_field in DOSSIER.fields if contract_field.base == "timestamp"]

EVENTS = st.lists(assertions(), min_size=1, max_size=14)
CUTS = st.lists(st.integers(1, 6), min_size=1, max_size=8)


def no_states() -> pl.DataFrame:
    empty = frame_of([])
    return empty.with_columns(pl.lit(0, dtype=pl.Int64).alias(STATE_OFFSET), pl.lit(value=False).alias(DELETED))


def plain(frame: pl.DataFrame) -> list[Event]:
    """The contract's columns as events; times in ms."""
    return frame.select(PAYLOAD).with_columns(pl.col(TIMES).dt.epoch("ms")).to_dicts()


@dataclass
class Partition:
    """Batches through `compute`, one after the other, with the states that a worker would look up."""

    states: pl.DataFrame = field(default_factory=no_states)
    rows: list[tuple[str, int, int, int, Event]] = field(default_factory=list)
    """Kind, sign, offset, offset of the state, and what the row says."""
    next: int = 0

    def write(self, events: list[Event]) -> None:
        before = self.next
        self.next += len(events)
        batch = frame_of(events).with_columns(pl.int_range(before, self.next, dtype=pl.Int64).alias(OFFSET))
        mine = self.states.filter(pl.col("entity_key").is_in(batch["entity_key"].implode()))
        changes = compute(batch, mine, DOSSIER)
        again = compute(batch, mine, DOSSIER)
        assert again.rows.equals(changes.rows), "a redo must give the identical rows"
        marks = changes.rows.select("kind", "sign", OFFSET, STATE_OFFSET).rows()
        self.rows += [(*mark, event) for mark, event in zip(marks, plain(changes.rows), strict=True)]
        self.states = pl.concat([self.states, changes.states.select(self.states.columns)]).unique(
            "entity_key", keep="last", maintain_order=True
        )

    def write_all(self, events: list[Event], cuts: list[int]) -> None:
        """In batches of these sizes, over and over."""
        turn = 0
        while events:
            size = cuts[turn % len(cuts)]
            self.write(events[:size])
            events, turn = events[size:], turn + 1

    def rollups(self) -> dict[Bucket, int]:
        return summed((event, sign) for _, sign, _, _, event in self.rows)

    def current(self) -> dict[str, str]:
        return {event["entity_key"]: same_content(event) for event in plain(self.states)}

    def primary(self) -> list[tuple[str, int, int, int, Event]]:
        return [row for row in self.rows if row[0] != "retracted"]


def assert_is(partition: Partition, events: list[Event]) -> None:
    assert partition.rollups() == rollups(events)
    assert partition.current() == {key: same_content(event) for key, event in last_assertions(events).items()}


def interleavings(events: list[Event]) -> st.SearchStrategy[list[Event]]:
    """The events in another order across entities; each entity's own order kept."""
    own: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        own[event["entity_key"]].append(event)

    def merged(keys: list[str]) -> list[Event]:
        left = {key: iter(mine) for key, mine in own.items()}
        return [next(left[key]) for key in keys]

    return st.permutations([event["entity_key"] for event in events]).map(merged)


@settings(max_examples=30, deadline=None)
@given(st.data(), EVENTS, CUTS)
def test_shuffled_within_and_across_entities_repeated_and_cut_anywhere_figures_and_states_are_the_same(
    data: st.DataObject, events: list[Event], cuts: list[int]
) -> None:
    twice = data.draw(st.lists(st.sampled_from(events), max_size=6))
    partition = Partition()
    partition.write_all(data.draw(st.permutations(events + twice)), cuts)
    assert_is(partition, events)
    offsets = [row[2] for row in partition.primary()]
    assert sorted(offsets) == list(range(len(events) + len(twice)))


@settings(max_examples=15, deadline=None)
@given(st.data(), EVENTS, CUTS, CUTS)
def test_an_entity_s_history_does_not_depend_on_other_entities_or_on_the_cut_of_batches(
    data: st.DataObject, events: list[Event], cuts: list[int], others: list[int]
) -> None:
    def histories(partition: Partition) -> dict[str, list[tuple[str, int, str]]]:
        found = defaultdict(list)
        order = sorted(partition.rows, key=lambda row: (row[2], -row[1], row[0] == "retracted"))
        for kind, sign, _, _, event in order:
            found[event["entity_key"]].append((kind, sign, same_content(event)))
        return found

    one, other = Partition(), Partition()
    one.write_all(events, cuts)
    other.write_all(data.draw(interleavings(events)), others)
    assert histories(one) == histories(other)


@settings(max_examples=30, deadline=None)
@given(st.data(), EVENTS, CUTS)
def test_replayed_from_any_offset_nothing_is_counted_again(
    data: st.DataObject, events: list[Event], cuts: list[int]
) -> None:
    partition = Partition()
    partition.write_all(events, cuts)
    written = len(partition.rows)
    partition.write_all(events[data.draw(st.integers(0, len(events) - 1)) :], cuts)
    assert {(kind, sign) for kind, sign, *_ in partition.rows[written:]} <= {("repeat", 0), ("superseded", 0)}
    assert_is(partition, events)


@settings(max_examples=20, deadline=None)
@given(EVENTS, CUTS)
def test_every_state_counted_is_taken_back_once_or_is_the_current_one(events: list[Event], cuts: list[int]) -> None:
    partition = Partition()
    partition.write_all(events, cuts)
    signs: Counter[int] = Counter()
    for _, sign, _, state_offset, _ in partition.rows:
        signs[state_offset] += sign
    alive = {offset for offset, deleted in partition.states.select(STATE_OFFSET, DELETED).rows() if not deleted}
    assert {offset: count for offset, count in signs.items() if count} == dict.fromkeys(alive, 1)


class DossierLife(RuleBasedStateMachine):
    """A few dossiers through everything that happens to them; after each step the signed rows equal the model."""

    def __init__(self) -> None:
        super().__init__()
        self.partition = Partition()
        self.sent: list[Event] = []
        self.held: list[Event] = []
        self.compared = -1

    def _revision(self, number: int) -> int:
        mine = [event["revision"] for event in self.sent + self.held if event["entity_key"] == self._key(number)]
        return max(mine, default=0)

    @staticmethod
    def _key(number: int) -> str:
        return str(dossier(number, 1)["entity_key"])

    def _last(self, number: int) -> Event | None:
        return last_assertions(self.sent + self.held).get(self._key(number))

    def _say(self, event: Event, hold: bool) -> None:
        """Hold an event back for a batch with the next ones, or write all that are held."""
        self.held.append(identified(event))
        if not hold:
            self._flush()

    def _flush(self) -> None:
        if self.held:
            self.partition.write(self.held)
            self.sent += self.held
            self.held = []

    numbers = st.integers(0, 2)
    holds = st.booleans()

    @initialize(state=states())
    def begins(self, state: dict[str, Any]) -> None:
        self.asserts(0, state, hold=False)

    @rule(number=numbers, state=states(), hold=holds)
    def asserts(self, number: int, state: dict[str, Any], hold: bool) -> None:
        status = state["status"]
        rest = {name: value for name, value in state.items() if name != "status"}
        self._say(dossier(number, self._revision(number) + 1, status, **rest), hold)

    @rule(number=numbers, state=states(), hold=holds)
    def corrects(self, number: int, state: dict[str, Any], hold: bool) -> None:
        status = state["status"]
        rest = {name: value for name, value in state.items() if name != "status"}
        self._say(dossier(number, max(1, self._revision(number)), status, "CORRECT", **rest), hold)

    @rule(number=numbers, hold=holds)
    def recalls(self, number: int, hold: bool) -> None:
        last = self._last(number)
        if last is not None:
            self._say({**last, "revision": last["revision"] + 1, "op": "DELETE"}, hold)

    @rule(number=numbers, hold=holds)
    def reopens(self, number: int, hold: bool) -> None:
        """A recalled or finished dossier is being worked on again."""
        last = self._last(number)
        if last is not None and (last["op"] == "DELETE" or last["status"] in (9, 10)):
            changes = {"op": "UPSERT", "status": 4, "ended_at": None, "revision": last["revision"] + 1}
            self._say({**last, **changes}, hold)

    @rule(number=numbers, unit=UNITS, field_=FIELDS, commune=COMMUNES, hold=holds)
    def moves(self, number: int, unit: str, field_: str, commune: str, hold: bool) -> None:
        """Another unit, field or commune: a dimension of what was counted."""
        last = self._last(number)
        if last is not None and last["op"] != "DELETE":
            where = {"org_code": unit, "field": field_, "admin_code": commune}
            self._say({**last, **where, "op": "UPSERT", "revision": last["revision"] + 1}, hold)

    @rule(number=numbers, state=states(), at=INSTANTS, hold=holds)
    def hears_late(self, number: int, state: dict[str, Any], at: int, hold: bool) -> None:
        """An older revision arrives after newer ones, as old as may be."""
        rest = {name: value for name, value in state.items() if name != "status"} | {"event_time": at}
        self._say(dossier(number, max(1, self._revision(number) - 1), state["status"], **rest), hold)

    @rule(data=st.data(), hold=holds)
    def hears_again(self, data: st.DataObject, hold: bool) -> None:
        if self.sent:
            again = data.draw(st.sampled_from(self.sent))
            self._say({**again, "ingest_time": again["ingest_time"] + DAY_MS}, hold)

    @rule(data=st.data())
    def replays(self, data: st.DataObject) -> None:
        """The topic again, from any offset to the end."""
        self._flush()
        if self.sent:
            self.partition.write(self.sent[data.draw(st.integers(0, len(self.sent) - 1)) :])

    @invariant()
    def rows_equal_the_model(self) -> None:
        if self.compared == len(self.partition.rows):
            return
        self.compared = len(self.partition.rows)
        assert_is(self.partition, self.sent)
        gone = {key for key, event in last_assertions(self.sent).items() if event["op"] == "DELETE"}
        signs: Counter[str] = Counter()
        for _, sign, _, _, event in self.partition.rows:
            signs[event["entity_key"]] += sign
        assert all(signs[key] == (0 if key in gone else 1) for key in last_assertions(self.sent))


TestDossierLife = DossierLife.TestCase
TestDossierLife.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)


NOW_MS = 1_795_000_000_000
"""Arrival of everything in the warehouse's test: after all instants."""


def test_a_batch_that_only_the_changes_have_is_known_after_its_redo() -> None:
    with core() as table:
        first, second = (identified(dossier(1, revision, status=4)) for revision in (1, 2))
        table.die_and_redo([first], at=NOW_MS, written="changes")
        table.feed([second], at=NOW_MS)
        assert from_views(table) == rollups([first, second])


def test_rollups_and_current_states_of_the_real_views_equal_the_model() -> None:
    """With workers that die before and after the write and redo, with repeats, and with a cache that forgets."""
    with core(cached_states=2) as table:

        @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.data(), EVENTS, CUTS)
        def sequence(data: st.DataObject, events: list[Event], cuts: list[int]) -> None:
            table.empty()
            left = data.draw(st.permutations(events + data.draw(st.lists(st.sampled_from(events), max_size=3))))
            turn = 0
            while left:
                size = cuts[turn % len(cuts)] + 2
                batch, left, turn = left[:size], left[size:], turn + 1
                match data.draw(st.sampled_from(["ok", "ok", "nothing", "changes", "all"])):
                    case "ok":
                        table.feed(batch, at=NOW_MS)
                    case written:
                        table.die_and_redo(batch, at=NOW_MS, written=written)
            assert from_views(table) == rollups(events)
            last = last_assertions(events)
            assert {key: (revision, gone) for key, (revision, _, gone) in current_in(table).items()} == {
                key: (event["revision"], event["op"] == "DELETE") for key, event in last.items()
            }
            assert {key: state[1] for key, state in current_in(table).items()} == {
                key: event["event_id"] for key, event in last.items()
            }

        sequence()
