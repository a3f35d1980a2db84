"""API keys: shown once, stored as a hash, worthless once revoked or expired, shared between processes."""

from __future__ import annotations

import multiprocessing
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.security.access import PERMISSIONS, Permission, Principal
from hub.security.errors import CredentialStoreError, KeyRequestError
from hub.security.keys import KEY_FILE, KeyStore


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(tmp_path: Path, clock: Clock) -> KeyStore:
    return KeyStore(tmp_path, clock)


def make_keys(state: Path, count: int) -> None:
    store = KeyStore(state, lambda: datetime(2026, 1, 5, tzinfo=UTC))
    for _ in range(count):
        store.create("operator")


@pytest.mark.parametrize(("role", "org", "letter"), [("admin", None, "a"), ("operator", None, "o"),
                                                     ("department", "H53.14", "d")])  # fmt: skip
def test_a_key_names_its_role_and_lets_its_holder_in(keys: KeyStore, role: str, org: str | None, letter: str) -> None:
    made = keys.create(role, org)
    assert re.fullmatch(rf"ioc_{letter}_[A-Za-z0-9]{{40}}", made.text)
    assert keys.authenticate(made.text) == Principal(role, org, made.info.id)


def test_only_a_hash_is_stored_and_only_the_owner_reads_it(keys: KeyStore, tmp_path: Path) -> None:
    made = keys.create("admin")
    file = tmp_path / KEY_FILE
    assert made.text not in file.read_text()
    assert made.text[6:] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made.text not in repr(made)


def test_a_wrong_key_lets_nobody_in(keys: KeyStore) -> None:
    made = keys.create("admin")
    for wrong in ("", "ioc_a_", made.text[:-1], made.text + "x", made.text.swapcase(), "khóa"):
        assert keys.authenticate(wrong) is None


def test_a_revoked_key_is_worthless_and_stays_listed(keys: KeyStore, clock: Clock) -> None:
    made, other = keys.create("admin"), keys.create("operator")
    clock.now += timedelta(hours=1)
    first = keys.revoke(made.info.id)
    clock.now += timedelta(hours=1)
    assert keys.revoke(made.info.id) == first
    assert keys.authenticate(made.text) is None
    assert keys.authenticate(other.text) is not None
    assert [(info.role, info.is_live(clock.now)) for info in keys.all()] == [("admin", False), ("operator", True)]
    assert not keys.has_live("admin")


def test_a_key_ends_at_its_expiry(keys: KeyStore, clock: Clock) -> None:
    made = keys.create("operator", valid_for=timedelta(days=30))
    clock.now += timedelta(days=30) - timedelta(seconds=1)
    assert keys.authenticate(made.text) is not None
    clock.now += timedelta(seconds=1)
    assert keys.authenticate(made.text) is None


def test_a_running_process_sees_keys_made_and_revoked_by_another(keys: KeyStore, tmp_path: Path, clock: Clock) -> None:
    running = KeyStore(tmp_path, clock)
    made = keys.create("admin")
    assert running.authenticate(made.text) is not None
    keys.revoke(made.info.id)
    assert running.authenticate(made.text) is None


def test_processes_that_make_keys_at_once_lose_none(tmp_path: Path, keys: KeyStore) -> None:
    context = multiprocessing.get_context("spawn")
    makers = [context.Process(target=make_keys, args=(tmp_path, 10)) for _ in range(3)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(60)
    assert len(keys.all()) == 30


@pytest.mark.parametrize(("role", "org", "cure"), [
    ("root", None, "choose: admin, operator, department"),
    ("department", None, "--org H53.14"),
    ("operator", "H53.14", "--org goes with role department only"),
])  # fmt: skip
def test_a_senseless_request_is_refused_with_the_cure(keys: KeyStore, role: str, org: str | None, cure: str) -> None:
    with pytest.raises(KeyRequestError, match=cure):
        keys.create(role, org)
    assert keys.all() == []


def test_revoking_an_unknown_key_is_refused(keys: KeyStore) -> None:
    with pytest.raises(KeyRequestError, match="no key has the id 'abc'"):
        keys.revoke("abc")


def test_a_damaged_file_lets_nobody_in_and_is_named(keys: KeyStore, tmp_path: Path) -> None:
    made = keys.create("admin")
    (tmp_path / KEY_FILE).write_text("{")
    with pytest.raises(CredentialStoreError, match=r"keys\.json cannot be read"):
        keys.authenticate(made.text)
    with pytest.raises(CredentialStoreError):
        keys.create("admin")


def test_no_role_may_more_than_the_administrator_and_unknown_roles_may_nothing() -> None:
    assert all(permissions <= PERMISSIONS["admin"] for permissions in PERMISSIONS.values())
    assert not any(Principal("intruder").may(permission) for permission in Permission)
    assert not any(Principal(role).may(Permission.KEY_MANAGE) for role in ("operator", "department", "service"))
