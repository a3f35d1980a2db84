"""Rule L2: what a consumer group does in a partition, beside Burrow's evaluator."""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.health.commits import Commit, parse_commit, partition_of
from hub.health.consumer import Allowed, Committed, Seen, Shown, Status, Waited, debounced, judge
from hub.health.group import ALLOWED, PartitionHealth, Presence, Reading, fold, unseen
from hub.health.lag import Behind
from hub.topics import PartitionLag

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
INTERVAL = timedelta(seconds=5)
LIMITS = Allowed(wait=timedelta(seconds=60), commit_interval=INTERVAL)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def commits(*told: tuple[int, float, int]) -> list[Committed]:
    """Offset, seconds ago, records behind then."""
    return [Committed(offset, ago(seconds), lag) for offset, seconds, lag in told]


def seen(
    behind: Behind | None,
    told: Sequence[Committed],
    members: int | None = 1,
    waits: Sequence[Waited] = (),
    end_since: float = 0.0,
) -> Seen:
    return Seen(behind, members, told, waits, ago(end_since))


MOVING = commits((10, 15, 90), (40, 10, 60), (70, 5, 40))
STANDING = commits((70, 11, 30), (70, 6, 30), (70, 1, 40))
LONG = [Waited(ago(240), 100.0), Waited(ago(120), 90.0)]

CASES = {
    "not collected": (seen(None, MOVING), Status.UNKNOWN),
    "never committed": (seen(Behind(None, None), []), Status.UNKNOWN),
    "the group could not be asked": (seen(Behind(40, 5.0), MOVING, members=None), Status.UNKNOWN),
    "nothing waits": (seen(Behind(0, 0.0), MOVING), Status.OK),
    "nothing waits and nothing comes": (seen(Behind(0, 0.0), MOVING, end_since=600), Status.IDLE),
    "nothing waits, even if no worker lives": (seen(Behind(0, 0.0), MOVING, members=0), Status.OK),
    "records wait and no worker lives": (seen(Behind(1, 1.0), MOVING, members=0), Status.STOP),
    "members, but no commit for over 30 s": (seen(Behind(9, 40.0), commits((10, 31, 5))), Status.STOP),
    "the last commit is 30 s old": (seen(Behind(9, 40.0), commits((10, 30, 5))), Status.OK),
    "the same offset three times": (seen(Behind(40, 12.0), STANDING), Status.STALL),
    "the same offset twice": (seen(Behind(40, 12.0), STANDING[1:]), Status.OK),
    "the same offset while nothing waited": (
        seen(Behind(4, 1.0), commits((70, 11, 0), (70, 6, 0), (70, 1, 4))), Status.OK,
    ),
    "an offset fell": (seen(Behind(90, 9.0), commits((70, 11, 30), (10, 6, 90), (30, 1, 70))), Status.REWIND),
    "an offset fell and came back": (seen(Behind(9, 1.0), commits((70, 11, 30), (10, 6, 90), (75, 1, 9))), Status.OK),
    "fell and stands": (
        seen(Behind(90, 9.0), commits((70, 16, 3), (10, 11, 90), (10, 6, 90), (10, 1, 90))), Status.REWIND,
    ),
    "waits too long": (seen(Behind(40, 61.0), MOVING), Status.WARN),
    "waits too long, but ever less": (seen(Behind(40, 70.0), MOVING, waits=LONG), Status.OK),
    "waits too long, and no less": (seen(Behind(40, 100.0), MOVING, waits=LONG), Status.WARN),
    "how long is not known": (seen(Behind(40, None), MOVING), Status.OK),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_status_of_a_partition(case: str) -> None:
    given_, expected = CASES[case]
    assert judge(given_, LIMITS, NOW) == expected


def burrow(told: Sequence[Committed], lag: int, now: datetime) -> str:
    """Burrow's evaluation of a window of commits (caching evaluator), lag allowed: 0; ends known by the lags."""
    if len(told) < 10 or lag == 0:
        return "OK"
    first, last = told[0], told[-1]
    if now - last.at > last.at - first.at and all(one.offset + one.lag > last.offset for one in told):
        return "STOP"
    for number in range(1, len(told)):
        if told[number].offset < told[number - 1].offset and last.offset < told[number - 1].offset:
            return "REWIND"
    if any(one.lag == 0 for one in told):
        return "OK"
    if all(one.offset == first.offset for one in told):
        return "STALL"
    if all(after.lag >= before.lag for before, after in pairwise(told)):
        return "WARN"
    return "OK"


HISTORIES = 4_000


def history(chance: random.Random) -> tuple[list[Committed], int, datetime]:
    """Ten commits, 5 s apart, of a group that moves, falls behind, stands or is set back in stretches; what waits now;
    now."""
    offset, end, told = chance.randint(50, 100), 150, []
    way = chance.choice(["moves", "slow", "stands", "falls", "mixed"])
    for number in range(10):
        step = way if way in ("moves", "slow", "stands") else chance.choice(["moves", "stands", "falls"])
        end += chance.choice([0, 0, chance.randint(0, 20)]) if step != "slow" else chance.randint(5, 20)
        if number and step == "slow":
            offset += chance.randint(1, 5)
        elif number and step == "moves":
            offset = min(end, offset + chance.randint(1, 30))
        elif number and step == "falls":
            offset -= chance.randint(0, 10)
        told.append(Committed(offset, ago(50 - 5 * number), end - offset))
    later = chance.randint(0, chance.choice([25, 90]))
    end += chance.randint(0, 20)
    return told, max(0, end - offset), ago(5) + timedelta(seconds=later)


def test_more_than_a_thousand_histories_are_judged_as_burrow_does_except_where_said() -> None:
    agreed: Counter[str] = Counter()
    for seed in range(HISTORIES):
        told, lag, now = history(random.Random(seed))
        # Waiting time stands in for Burrow's lag that does not shrink, which is WARN however small.
        grows = all(after.lag >= before.lag for before, after in pairwise(told))
        ours = judge(Seen(Behind(lag, 61.0 if grows else 1.0), 1, told, (), now), LIMITS, now)
        theirs = burrow(told, lag, now)
        if ours.name == theirs:
            agreed[theirs] += 1
            continue
        silent = now - told[-1].at > timedelta(seconds=30)
        stands = len({one.offset for one in told[-3:]}) == 1
        assert (
            # It waits for as long as the whole window took (45 s) before it says STOP: we say it after 30 s.
            (ours is Status.STOP and silent)
            # It wants all ten commits at one offset: we say STALL after three.
            or (ours is Status.STALL and stands and theirs in {"OK", "WARN"})
            # A lag of 0 anywhere in the window excuses it for Burrow; for us a long wait now counts.
            or (ours is Status.WARN and theirs == "OK" and grows and min(one.lag for one in told) == 0)
        ), (seed, ours, theirs)
    assert sum(agreed.values()) >= 1_000, agreed
    assert min(agreed[kind] for kind in ("OK", "STOP", "REWIND", "STALL", "WARN")) > 100, agreed


def test_a_status_is_raised_after_two_evaluations_and_cleared_after_three() -> None:
    shown, history = Shown(Status.OK), []
    for found in [Status.WARN, Status.OK, Status.WARN, Status.WARN, Status.OK, Status.OK, Status.OK]:
        shown = debounced(shown, found)
        history.append(shown.status)
    assert history == [Status.OK] * 3 + [Status.WARN] * 3 + [Status.OK]


@pytest.mark.parametrize("found", [Status.STOP, Status.UNKNOWN])
def test_what_is_certain_is_shown_at_once(found: Status) -> None:
    assert debounced(Shown(Status.OK), found).status is found


def test_the_first_evaluation_is_shown_at_once() -> None:
    assert debounced(Shown(), Status.WARN).status is Status.WARN


def test_health_is_folded_reading_by_reading() -> None:
    health: dict[tuple[str, int], PartitionHealth] = {}
    place, found = ("t", 0), []
    for second in range(40):
        now = ago(40 - second)
        told = [Commit("t", 0, 7, now)] if second % 5 == 0 else []
        item = PartitionLag("t", 0, 7, 0, 20)
        reading = Reading([item], {place: ago(40)}, told, 1)
        health = fold(health, reading, ALLOWED, now)
        found.append(health[place].status)
    assert found[0] is Status.OK
    assert found[9] is Status.OK
    assert found[11] is Status.STALL
    assert set(found[11:]) == {Status.STALL}
    assert unseen(health)[place].status is Status.UNKNOWN


def test_a_group_is_gone_once_it_had_members_and_has_none() -> None:
    def seen(*told: int | None) -> datetime | None:
        """Members told each second; None: Kafka did not answer."""
        presence = Presence()
        for second, members in enumerate(told):
            at = NOW + timedelta(seconds=second)
            presence = presence.unseen() if members is None else presence.seen(members, at)
        return presence.gone_since

    assert seen(0, 0, 0) is None, "never there: not started yet"
    assert seen(1, 0, 0) == NOW + timedelta(seconds=1)
    assert seen(2, 0, 1) is None
    assert seen(1, 0, None, 0) == NOW + timedelta(seconds=3)


def test_a_topic_made_anew_forgets_the_commits_of_the_old_one() -> None:
    place = ("t", 0)
    told = [Commit("t", 0, 70, ago(30 - number)) for number in range(3)]
    waits = {place: ago(40)}
    health = fold({}, Reading([PartitionLag("t", 0, 70, 0, 90)], waits, told, 1), ALLOWED, ago(20))
    health = fold(health, Reading([PartitionLag("t", 0, 2, 0, 5)], {}, [Commit("t", 0, 2, ago(1))], 1), ALLOWED, NOW)
    assert [one.offset for one in health[place].commits] == [2]
    assert health[place].shown == Shown(Status.STALL, coming=Status.OK, times=1)


def text(value: str) -> bytes:
    return struct.pack(">h", len(value.encode())) + value.encode()


def key_of(group: str = "g", topic: str = "t", partition: int = 3, version: int = 1) -> bytes:
    return struct.pack(">h", version) + text(group) + text(topic) + struct.pack(">i", partition)


STAMP = int(NOW.timestamp() * 1000)
VALUES = {
    0: struct.pack(">hq", 0, 42) + text("m") + struct.pack(">q", STAMP),
    1: struct.pack(">hq", 1, 42) + text("m") + struct.pack(">qq", STAMP, -1),
    3: struct.pack(">hqi", 3, 42, 7) + text("metadata") + struct.pack(">q", STAMP),
    4: struct.pack(">hqi", 4, 42, 7) + b"\x05meta" + struct.pack(">q", STAMP) + b"\x00",
}


@pytest.mark.parametrize("version", VALUES)
def test_a_commit_is_read_in_every_version_of_the_log(version: int) -> None:
    assert parse_commit(key_of(), VALUES[version], "g") == Commit("t", 3, 42, NOW)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, VALUES[3]),
        (key_of(), None),
        (key_of("other"), VALUES[3]),
        (key_of(version=2), VALUES[3]),
        (key_of(), struct.pack(">h", 9) + VALUES[3][2:]),
        (b"", b""),
    ],
)
def test_what_is_no_commit_of_the_group_is_left_aside(key: bytes | None, value: bytes | None) -> None:
    assert parse_commit(key, value, "g") is None


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_foreign_bytes_in_the_log_do_no_harm(key: bytes, value: bytes) -> None:
    parse_commit(key, value, "g")
    parse_commit(key_of(), value, "g")


def test_a_group_s_commits_are_where_java_s_hash_puts_them() -> None:
    # Two that are written everywhere: "abc".hashCode() is 96354, "polygenelubricants".hashCode() the least integer.
    assert partition_of("abc", 50) == 96354 % 50
    assert partition_of("polygenelubricants", 50) == 0
