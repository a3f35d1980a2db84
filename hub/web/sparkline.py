"""Small trend lines as coordinates for inline SVG. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 160.0
HEIGHT = 40.0
PADDING = 4.0


@dataclass(frozen=True, slots=True)
class Sparkline:
    """`lines` are polylines (a gap in the data parts them); `last` is the youngest point; `target_y` a level.

    `open_line` leads to a bucket that is not over yet, so that a count does not seem to fall.
    """

    lines: tuple[str, ...]
    areas: tuple[str, ...]
    last: tuple[float, float] | None
    target_y: float | None
    open_line: str | None = None


def sparkline(values: Sequence[float | None], target: float | None = None, last_open: bool = False) -> Sparkline:
    """Points spread over the width; the scale holds all values, and the target if it lies near them."""
    known = [value for value in values if value is not None]
    if not known:
        return Sparkline((), (), None, None)
    low, high = min(known), max(known)
    spread = high - low
    shown_target = target if target is not None and low - 2 * spread - 1 <= target <= high + 2 * spread + 1 else None
    if shown_target is not None:
        low, high = min(low, shown_target), max(high, shown_target)
    scale = (HEIGHT - 2 * PADDING) / (high - low) if high > low else 0.0
    step = (WIDTH - 2 * PADDING) / max(1, len(values) - 1)

    def place(index: int, value: float) -> tuple[float, float]:
        y = HEIGHT - PADDING - (value - low) * scale if scale else HEIGHT / 2
        return round(PADDING + index * step, 1), round(y, 1)

    runs: list[list[tuple[float, float]]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(place(index, value))
    drawn = [run for run in runs if run]
    last, open_line = drawn[-1][-1], None
    if last_open and values[-1] is not None and len(drawn[-1]) > 1:
        open_line = _text(drawn[-1][-2:])
        drawn[-1] = drawn[-1][:-1]
    return Sparkline(
        lines=tuple(_text(run) for run in drawn if len(run) > 1),
        areas=tuple(_area(run) for run in drawn if len(run) > 1),
        last=last,
        target_y=place(0, shown_target)[1] if shown_target is not None else None,
        open_line=open_line,
    )


def _text(run: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in run)


def _area(run: Sequence[tuple[float, float]]) -> str:
    return _text([(run[0][0], HEIGHT), *run, (run[-1][0], HEIGHT)])
