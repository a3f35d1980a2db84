"""Life cycles of a dossier as templates, compiled to arrays: what each step shows, and when it comes.

A template is a string of steps:
R registered · A received · P in progress · S supplement requested · s supplied · N financial obligation ·
F finished · T returned · Q rated · X not accepted · W withdrawn · H stopped · O re-opened ·
C correction of the channel · E of the electronic result · L of the day it ended (it was late after all) –
each in place, at the revision it corrects; lower-case c, e, l: as a revision of its own ·
D recalled · d recalled in place · U restored · Z an old revision sent again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

UPSERT, CORRECT, DELETE = 0, 1, 2
HOUR = 3600
DAY = 8 * HOUR

TEMPLATES: tuple[tuple[str, int], ...] = (
    ("RAPPFT", 330),
    ("RAPFT", 160),
    ("RAPPPFT", 130),
    ("RAPPFTQ", 90),
    ("RAPSsPFT", 60),
    ("RAPNPFT", 45),
    ("RAPNPFTQ", 20),
    ("RAPPFTOPFT", 16),
    ("RAPPFTc", 14),
    ("RAPPFTC", 10),
    ("RAPPFTe", 10),
    ("RAPPFTE", 8),
    ("RAPPFTl", 8),
    ("RAPPFTL", 6),
    ("RX", 24),
    ("RAPW", 14),
    ("RAPSH", 10),
    ("R", 6),
    ("RAPPFZT", 10),
    ("RAPFTZ", 6),
    ("RAPPD", 8),
    ("RAPPFTd", 6),
    ("RAPPDU", 4),
    ("RAPPFTDU", 8),
    ("RAPPFTdUD", 3),
    ("RAPPFTDUQ", 4),
)
"""Template and weight. About six events each."""

STATUS = {"R": 1, "A": 2, "P": 4, "S": 5, "s": 4, "N": 6, "F": 9, "T": 10, "X": 3, "W": 7, "H": 8, "O": 4}
WAIT: dict[str, tuple[int, int]] = {
    "R": (0, 0),
    "A": (600, 4 * HOUR),
    "X": (HOUR, DAY),
    "S": (HOUR, DAY),
    "s": (DAY, 5 * DAY),
    "W": (HOUR, 2 * DAY),
    "H": (5 * DAY, 15 * DAY),
    "T": (1800, 2 * DAY),
    "Q": (HOUR, 3 * DAY),
    "O": (DAY, 8 * DAY),
}
"""Least and most working seconds before a step; P, N and F share the procedure's own time instead."""
OTHER_WAIT = (HOUR, 6 * DAY)


@dataclass(frozen=True, slots=True)
class Step:
    """What the dossier shows after a step; `received`, `ended`, `returned` are numbers of steps, −1: not yet."""

    kind: str
    op: int = UPSERT
    revision: int = 1
    status: int = 1
    received: int = -1
    ended: int = -1
    returned: int = -1
    due: int = 0
    """0 none · 1 as promised · 2 shifted by the supplement · 3 promised anew."""
    finished: bool = False
    rated: bool = False
    wrong: bool = False
    """What the template's correction corrects is still wrong."""
    winner: int = 0
    """The step that holds at this point."""


def _after(previous: Step, number: int, kind: str) -> Step:
    changes: dict[str, dict[str, Any]] = {
        "A": {"received": number, "due": 1},
        "s": {"due": 2},
        "F": {"ended": number, "finished": True},
        "W": {"ended": number, "finished": False},
        "H": {"ended": number, "finished": False},
        "T": {"returned": number},
        "O": {"ended": -1, "returned": -1, "finished": False, "due": 3},
        "Q": {"rated": True},
        "D": {"op": DELETE},
        "d": {"op": DELETE, "revision": previous.revision},
        **{key: {"op": CORRECT, "wrong": False} for key in "cel"},
        **{key: {"op": CORRECT, "wrong": False, "revision": previous.revision} for key in "CEL"},
    }
    step = replace(previous, kind=kind, op=UPSERT, revision=previous.revision + 1, winner=number)
    return replace(step, status=STATUS.get(kind, previous.status), **changes.get(kind, {}))


def steps_of(template: str) -> list[Step]:
    """The states along a template."""
    wrong = bool(set(template) & set("CELcel"))
    steps = [Step("R", wrong=wrong)]
    for number, kind in enumerate(template[1:], start=1):
        if kind == "Z":
            steps.append(replace(steps[number - 2], kind="Z", winner=steps[number - 1].winner))
        else:
            steps.append(_after(steps[steps[number - 1].winner], number, kind))
    return steps


class Compiled:
    """All templates end to end; `first[t]` and `length[t]` find template t's steps in the other arrays."""

    def __init__(self) -> None:
        templates = [template for template, _ in TEMPLATES]
        steps = [steps_of(template) for template in templates]
        flat = [step for path in steps for step in path]
        self.weights = np.array([weight for _, weight in TEMPLATES], dtype=float) / sum(w for _, w in TEMPLATES)
        self.length = np.array([len(path) for path in steps])
        self.first = np.concatenate(([0], np.cumsum(self.length)[:-1]))
        self.correction = np.array([next((k for k in t if k in "CELcel"), " ").lower() for t in templates])
        self.corrected_at = np.array(
            [next((n for n, k in enumerate(t) if k in "CELcel"), -1) for t in templates], dtype=np.int64
        )
        self.supplement_at = np.array([t.find("S") if "s" in t else -1 for t in templates])
        self.reopened_at = np.array([t.find("O") for t in templates])
        self.op = np.array([s.op for s in flat], dtype=np.uint8)
        self.revision = np.array([s.revision for s in flat], dtype=np.uint8)
        self.status = np.array([s.status for s in flat], dtype=np.uint8)
        self.received = np.array([s.received for s in flat])
        self.ended = np.array([s.ended for s in flat])
        self.returned = np.array([s.returned for s in flat])
        self.due = np.array([s.due for s in flat], dtype=np.uint8)
        self.finished = np.array([s.finished for s in flat])
        self.rated = np.array([s.rated for s in flat])
        self.wrong = np.array([s.wrong for s in flat])
        self.winner = np.array([s.winner for s in flat])
        waits = [WAIT.get(s.kind, (60, 2 * HOUR) if s.kind in "PNF" else OTHER_WAIT) for s in flat]
        self.least = np.array([least for least, _ in waits], dtype=float)
        self.spread = np.array([most - least for least, most in waits], dtype=float)
        shares = [1 / max(1, sum(k in "PNF" for k in t)) for t in templates]
        self.share = np.array(
            [share if step.kind in "PNF" else 0.0 for share, path in zip(shares, steps, strict=True) for step in path]
        )


@lru_cache(maxsize=1)
def compiled() -> Compiled:
    return Compiled()
