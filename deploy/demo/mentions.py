"""System 6, monitoring of online information: a REST feed by record number, 20,000 mentions on a busy day."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from deploy.demo.ledger import Origin, Raw, read_emitted
from deploy.demo.local_time import iso
from deploy.demo.reference import REFERENCE_END, REFERENCE_START
from deploy.demo.rest_feed import Dialect, RestSimulator
from deploy.demo.simulation import Sample, Simulator, Site, Stage, System, Totals
from deploy.demo.tales import DAY, HOUR, MINUTE, Assertion, Beat, Tale, TaleCase, rendered, told_between
from deploy.demo.tally import Row, count, final_states, mean, minutes, of_period, share, total, utc

ID = "online-mentions"
REFERENCE_MENTIONS, STOCK_MENTIONS = 3_000, 2_000
PLATFORMS = ("bao_chi", "facebook", "facebook", "zalo", "youtube", "tiktok", "dien_dan")
TOPICS = ("Giao thông", "Môi trường", "Đất đai", "Giáo dục", "Y tế", "Du lịch", "An ninh trật tự")
LIVES = ("", "l", "l", "lR", "lah", "lah", "lad", "lahR", "lax", "lan")
"""l labelled, R relabelled, a assigned, h responded, d dismissed, x taken down, n assigned and not handled yet."""
ACTIONS = {"UPSERT": "upsert", "CORRECT": "correct", "DELETE": "delete"}
DIALECT = Dialect("since", "after", "limit", "updated_at", lambda found: {"items": found}, after="event")


def mention(rng: random.Random, number: int, tag: str) -> Tale:
    """One mention's life."""
    life = rng.choice(LIVES)
    handled = "a" in life
    first = -1 if handled or rng.random() < 0.15 else rng.choice((0, 0, 1))
    allowed = 4 * HOUR if tag != "l" else 2 * MINUTE

    def detect(_state: Raw, now: int) -> Raw:
        return {
            "id": f"M-{tag}{number:06d}",
            "platform": rng.choice(PLATFORMS),
            "topic": rng.choice(TOPICS),
            "published_at": iso(now - rng.randint(MINUTE, 3 * HOUR)),
            "detected_at": iso(now),
            "sentiment": None,
            "reach": rng.randint(20, 40_000),
            "handling": "new",
            "due_at": None,
            "handled_at": None,
        }

    def assign(_state: Raw, now: int) -> Raw:
        return {"handling": "assigned", "due_at": iso(now + allowed)}

    def handle(how: str) -> Callable[[Raw, int], Raw]:
        return lambda _state, now: {"handling": how, "handled_at": iso(now)}

    steps: Mapping[str, Sequence[Beat]] = {
        "l": (Beat(lambda state, now: {"sentiment": first}, MINUTE, 20 * MINUTE),),
        # A person looked at it again: what the machine had called negative was not, or the other way round.
        "R": (
            Beat(
                lambda state, now: {"sentiment": 0 if state["sentiment"] else -1}, HOUR, DAY, "CORRECT", in_place=True
            ),
        ),
        "a": (Beat(assign, MINUTE, 30 * MINUTE),),
        "h": (Beat(handle("responded"), 10 * MINUTE, 8 * HOUR),),
        "d": (Beat(handle("dismissed"), 10 * MINUTE, 8 * HOUR),),
        "x": (Beat(lambda state, now: {}, HOUR, DAY, "DELETE"),),
        "n": (),
    }
    return Tale([Beat(detect), *(beat for step in life for beat in steps[step])])


def _relabelled(state: Raw, _now: int) -> Raw:
    return {"sentiment": 0 if state["sentiment"] else -1}


def render(assertion: Assertion) -> Raw:
    """As the monitoring system sends it; no author, no text."""
    return {
        "event": f"{assertion.state['id']}.{assertion.step}",
        **assertion.state,
        "version": assertion.revision,
        "action": ACTIONS[assertion.op],
        "updated_at": iso(assertion.at),
    }


def write_history(origin: Origin) -> list[Raw]:
    """Reference period and this year's stock."""
    found: list[Raw] = []
    for tag, most, start, end in (
        ("r", REFERENCE_MENTIONS, REFERENCE_START, REFERENCE_END),
        ("s", STOCK_MENTIONS, origin.year_start, origin.anchor),
    ):
        number, seed = max(5, round(most * min(1.0, origin.scale))), f"{origin.seed}:{tag}:{ID}"
        found += rendered(told_between(partial(mention, tag=tag), number, seed, start, end), render)
    return found


def bad_records() -> list[Raw]:
    """A sentiment of −5, a negative reach, an unknown platform."""
    good = render(mention(random.Random(ID), 0, "x").play(0, REFERENCE_END - DAY))
    flaws: tuple[Raw, ...] = ({"sentiment": -5}, {"reach": -1}, {"platform": "threads"})
    return [good | {"event": f"M-x.{number}", "id": f"M-x{number}"} | flaw for number, flaw in enumerate(flaws)]


def row(raw: Raw) -> Row:
    """A record in canonical terms."""
    return {
        "entity_key": raw["id"],
        "revision": raw["version"],
        "op": {name: op for op, name in ACTIONS.items()}[raw["action"]],
        "sentiment": raw["sentiment"],
        "handling": raw["handling"],
        "published_at": utc(raw["published_at"]),
        "detected_at": utc(raw["detected_at"]),
        "due_at": utc(raw["due_at"]),
        "handled_at": utc(raw["handled_at"]),
        "reach": raw["reach"],
    }


def expected(state: Path, start: date, end: date) -> Totals:
    """What the ledger says of a period."""
    rows = [row(raw) for raw in read_emitted(state, ID)]
    found = of_period(final_states(rows), "published_at", start, end)
    negative = [each for each in found if each["sentiment"] == -1]
    handled = [each for each in negative if each["handling"] in ("responded", "dismissed")]
    in_time = total(handled, lambda each: each["due_at"] is None or each["handled_at"] <= each["due_at"])
    responded = [each for each in negative if each["handling"] == "responded"]
    waited = sum(minutes(each["detected_at"], each["handled_at"]) for each in responded)
    kpis = {
        "mention.total": count(len(found)),
        "mention.negative": count(len(negative)),
        "mention.negative_share": share(len(negative), total(found, lambda each: each["sentiment"] is not None)),
        "mention.handled_share": share(len(handled), len(negative)),
        "mention.on_time_share": share(in_time, len(handled)),
        "mention.response_minutes": mean(waited, len(responded)),
        "mention.negative_reach": count(sum(each["reach"] for each in negative)),
    }
    return Totals(kpis, {"mention": len(rows)}, {ID: len(bad_records())})


def make(stage: Stage) -> Simulator:
    """The monitoring system."""
    seed = stage.origin.seed

    def begin(number: int) -> TaleCase:
        return TaleCase(mention(random.Random(f"{seed}:{number}:{ID}"), number, "l"), render)

    return RestSimulator(stage, "/v2/mentions", DIALECT, write_history, begin, bad_records())


def environment(site: Site) -> dict[str, str]:
    return {"IOC_SECRET_MENTIONS_URL": site.http_url, "IOC_SECRET_MENTIONS_KEY": site.secret("api-key")}


def samples(origin: Origin) -> dict[str, Sample]:
    return {ID: Sample(write_history(origin), bad_records())}


MENTIONS = System(ID, {ID: "mention"}, environment, make, expected, samples=samples)
