"""After a fault: retriable ones for ever, refused logins carefully, permanent ones rarely."""

from __future__ import annotations

from connectors.retry import FaultKind, RetryPolicy

POLICY = RetryPolicy()


def rests(kind: FaultKind, count: int) -> list[tuple[float, bool]]:
    found = [POLICY.after(kind, number) for number in range(1, count + 1)]
    return [(rest.wait_s, rest.failed) for rest in found]


def test_retriable_faults_are_tried_again_for_ever_and_never_fail() -> None:
    found = rests(FaultKind.RETRIABLE, 2000)
    assert found[:8] == [(wait, False) for wait in (0.5, 1, 2, 4, 8, 16, 30, 30)]
    assert found[-1] == (30, False)


def test_a_refused_login_is_tried_three_times_then_looked_at_four_times_an_hour() -> None:
    assert rests(FaultKind.CREDENTIALS, 5) == [(5, False), (20, False), (900, True), (900, True), (900, True)]


def test_a_day_with_a_wrong_password_makes_less_than_a_hundred_logins() -> None:
    elapsed, logins = 0.0, 0
    while elapsed < 86_400:
        logins += 1
        elapsed += POLICY.after(FaultKind.CREDENTIALS, logins).wait_s
    assert logins < 100


def test_a_permanent_fault_fails_at_once_and_is_looked_at_ever_more_rarely() -> None:
    assert rests(FaultKind.PERMANENT, 6) == [
        (60, True),
        (120, True),
        (240, True),
        (480, True),
        (900, True),
        (900, True),
    ]


def test_jitter_stretches_the_rest_and_changes_no_decision() -> None:
    for kind in FaultKind:
        plain, stretched = POLICY.after(kind, 2), POLICY.after(kind, 2, jitter=1.5)
        assert stretched.wait_s == plain.wait_s * 1.5
        assert stretched.failed == plain.failed
