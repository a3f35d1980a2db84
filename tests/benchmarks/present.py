"""The comparison as a table in Markdown and as a bar chart in SVG: pure."""

from __future__ import annotations

import statistics
from typing import Any
from xml.sax.saxutils import escape

from tests.benchmarks.systems.runner import SYSTEMS

LABELS: dict[str, tuple[str, str]] = {
    "end_to_end": ("hub", "The hub, exactly once into the warehouse"),
    "bare_limit": ("limits", "Bare limit: fetch, decode, insert"),
    **{system.name: ("hub" if system.group == "like" else system.group, system.label) for system in SYSTEMS},
}
"""By name: group and label."""

COLOURS = {"hub": "#0b6e4f", "limits": "#8a8f98", "peers": "#2f6db5"}
GROUP_NAMES = {"hub": "the hub", "limits": "limits", "peers": "others, writing nowhere"}

WIDTH, LEFT, RIGHT = 980, 350, 150
ROW, BAR, TOP, BOTTOM = 34, 18, 74, 44


def labelled(rates: dict[str, list[float]]) -> list[tuple[str, str, list[float]]]:
    """(group, label, rates), the fastest first."""
    found = [(*LABELS.get(name, ("peers", name)), measured) for name, measured in rates.items() if measured]
    return sorted(found, key=lambda row: -statistics.median(row[2]))


def markdown(figures: dict[str, Any]) -> str:
    """Tables of `compare.measure`'s figures."""
    lines = ["| System | Events/s, median | Range over the repeats | Cores busy |", "|---|--:|--:|--:|"]
    cores = {LABELS.get(name, ("", name))[1]: value for name, value in figures.get("cores", {}).items()}
    for _, label, rates in labelled(figures["events_per_s"]):
        lines.append(
            f"| {label} | {statistics.median(rates):,.0f} | {min(rates):,.0f}–{max(rates):,.0f} | "
            f"{cores.get(label, '–')} |"
        )
    if figures["ratios"]:
        lines += ["", "| | Times as fast, median | Range | Wanted |", "|---|--:|--:|--:|"]
    for ratio in figures["ratios"]:
        ours, theirs = (LABELS[ratio[side]][1] for side in ("system", "beside"))
        low, high = ratio["range"]
        reached = "" if ratio["reached"] else " (missed)"
        lines.append(f"| {ours} / {theirs} | {ratio['median']} | {low}–{high} | ≥ {ratio['wanted']}{reached} |")
    lines += [f"\nNot measured: {error.splitlines()[0]}" for error in figures.get("failed", {}).values()]
    return "\n".join(lines) + "\n"


def chart(rates: dict[str, list[float]], subtitle: str) -> str:
    """Bars of the medians with lines from least to most, each with its figure as text."""
    rows = labelled(rates)
    most = max(max(measured) for _, _, measured in rows)
    scale = (WIDTH - LEFT - RIGHT) / most
    height = TOP + ROW * len(rows) + BOTTOM
    spoken = "; ".join(f"{label} {statistics.median(measured):,.0f}" for _, label, measured in rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-labelledby="title desc" font-family="system-ui, sans-serif" font-size="14">',
        '<title id="title">Events per second of one process · Số sự kiện mỗi giây của một tiến trình</title>',
        f'<desc id="desc">Medians: {escape(spoken)}.</desc>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text x="16" y="28" font-size="18" font-weight="600" fill="#1b1f24">Events per second of one process</text>',
        f'<text x="16" y="50" fill="#4a5058">{escape(subtitle)}</text>',
    ]
    for place, (group, label, measured) in enumerate(rows):
        parts += _bar(TOP + place * ROW, group, label, measured, scale)
    parts += _legend(height - 16, [group for group in COLOURS if any(row[0] == group for row in rows)])
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bar(y: int, group: str, label: str, measured: list[float], scale: float) -> list[str]:
    middle = y + BAR / 2
    median, low, high = (at * scale for at in (statistics.median(measured), min(measured), max(measured)))
    text = "#1b1f24"
    return [
        f'<text x="{LEFT - 10}" y="{middle + 5:.0f}" text-anchor="end" fill="{text}"'
        f"{' font-weight=' + chr(34) + '600' + chr(34) if group == 'hub' else ''}>{escape(label)}</text>",
        f'<rect x="{LEFT}" y="{y}" width="{max(median, 1):.1f}" height="{BAR}" fill="{COLOURS[group]}"/>',
        f'<path d="M{LEFT + low:.1f} {middle}H{LEFT + high:.1f}M{LEFT + low:.1f} {middle - 5}v10'
        f'M{LEFT + high:.1f} {middle - 5}v10" stroke="{text}" stroke-width="1.5" fill="none"/>',
        f'<text x="{LEFT + max(median, high) + 10:.1f}" y="{middle + 5:.0f}" fill="{text}">'
        f"{statistics.median(measured):,.0f}</text>",
    ]


def _legend(y: int, groups: list[str]) -> list[str]:
    parts, x = [], 16
    for group in groups:
        parts.append(f'<rect x="{x}" y="{y - 12}" width="14" height="14" fill="{COLOURS[group]}"/>')
        parts.append(f'<text x="{x + 20}" y="{y}" fill="#4a5058">{GROUP_NAMES[group]}</text>')
        x += 60 + 8 * len(GROUP_NAMES[group])
    return parts
