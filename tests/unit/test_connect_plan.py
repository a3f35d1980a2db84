"""What a worker takes up, gives up and moves; which of the tree's manifests are planted; what is masked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.assigned import Wanted, steps
from connectors.configs import SEED, Approved, Configs, Entry, Registered, Removed, digest, encoded, key_of
from connectors.seeds import seeded
from hub.connect.masking import MASK, masked, unmasked

RUNNING = Wanted(1, "running", 0, 0)


def test_new_ones_are_taken_up_and_lost_ones_given_up() -> None:
    step = steps({"a": RUNNING, "b": RUNNING}, {"b": RUNNING, "c": RUNNING})
    assert (step.up, step.down, step.move) == ({"a"}, {"c"}, set())


def test_a_new_version_or_a_restart_goes_down_and_up_and_another_target_only_moves() -> None:
    held = dict.fromkeys("abcd", RUNNING)
    wanted = {
        "a": Wanted(2, "running", 0, 0),
        "b": Wanted(1, "running", 1, 5),
        "c": Wanted(1, "paused", 0, 7),
        "d": RUNNING,
    }
    step = steps(wanted, held)
    assert (step.up, step.down, step.move) == ({"a", "b"}, {"a", "b"}, {"c"})


names = st.sampled_from("abcdef")
wants = st.builds(
    Wanted, st.sampled_from([None, 1, 2]), st.sampled_from(["running", "paused", "stopped"]), st.integers(0, 2),
    st.integers(0, 2),
)  # fmt: skip


@given(st.dictionaries(names, wants), st.dictionaries(names, wants))
def test_after_the_steps_a_worker_holds_what_is_wanted(wanted: dict[str, Wanted], held: dict[str, Wanted]) -> None:
    step = steps(wanted, held)
    after = {name: want for name, want in held.items() if name not in step.down}
    after |= {name: wanted[name] for name in step.up | step.move}
    assert after == wanted
    assert not step.move & (step.up | step.down)
    assert steps(wanted, after) == steps(wanted, wanted)


def configs(connector: str, *entries: Entry) -> Configs:
    made = Configs()
    for entry in entries:
        made.apply(key_of(type(entry), connector), encoded(entry))
    return made


def test_an_unknown_seed_is_registered_and_approved() -> None:
    planted = seeded(Configs(), "a", "text 1", 5)
    assert planted == [
        Registered(1, "text 1", SEED, 5, "", digest("text 1")),
        Approved(1, "text 1", SEED, 5),
    ]
    assert seeded(configs("a", *planted), "a", "text 1", 6) == []


def test_a_newer_seed_replaces_an_older_one() -> None:
    old = configs("a", *seeded(Configs(), "a", "text 1", 5))
    assert [entry.version for entry in seeded(old, "a", "text 2", 6) if isinstance(entry, Registered)] == [2]


def test_what_a_person_applied_is_kept_against_a_newer_seed() -> None:
    applied = configs("a", Registered(3, "own", "admin:1", 7, "H53", digest("text 1")))
    assert seeded(applied, "a", "text 2", 8) == []


def test_a_removed_seed_stays_removed_until_it_changes() -> None:
    removed = configs("a", Removed(digest("text 1"), "admin:1", 9))
    assert seeded(removed, "a", "text 1", 10) == []
    assert len(seeded(removed, "a", "text 2", 10)) == 2


def test_references_are_shown_and_what_looks_like_a_secret_is_not() -> None:
    flat = {
        "source.auth.client_secret": "${env:IOC_SECRET_A}",
        "source.password": "hunter2",
        "source.api_key": "abc",
        "source.base_url": "https://user:hunter2@example.gov.vn/a",
        "source.path": "/a",
        "mapping.api_key": "kept",
    }
    shown = masked(flat)
    assert "hunter2" not in str(shown)
    assert shown["source.auth.client_secret"] == "${env:IOC_SECRET_A}"
    assert (shown["source.password"], shown["source.api_key"]) == (MASK, MASK)
    assert shown["source.base_url"] == f"https://user:{MASK}@example.gov.vn/a"
    assert (shown["source.path"], shown["mapping.api_key"]) == ("/a", "kept")
    assert unmasked(shown, flat) == (flat, [])


def test_what_is_masked_and_was_never_there_is_named() -> None:
    assert unmasked({"a.password": MASK, "b": "1"}, {}) == ({"b": "1"}, ["a.password"])
    assert unmasked({"source.client": MASK}, {"source.client": "${env:IOC_X}"})[0] == {"source.client": "${env:IOC_X}"}


def test_a_manifest_of_the_tree_belongs_to_its_owners_unit_also_where_it_was_planted_before() -> None:
    planted = seeded(Configs(), "a", "text 1", 5)
    moved = seeded(configs("a", *planted), "a", "text 1", 6, "H53.20")
    assert [(entry.version, entry.org) for entry in moved if isinstance(entry, Registered)] == [(2, "H53.20")]
    assert seeded(configs("a", *planted, *moved), "a", "text 1", 7, "H53.20") == []
