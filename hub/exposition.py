"""Prometheus's text format for tens of thousands of samples: the library's own writer takes thirty times as long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.samples import Sample

REMEMBERED_LABELS = 65_536


class Rows(Metric):
    """A gauge or counter of many samples, kept as rows of label values; the library's samples are made when asked for.

    A name, as in the library, is without `_total`.
    """

    def __init__(self, name: str, documentation: str, labels: Sequence[str] = (), kind: str = "gauge") -> None:
        super().__init__(name, documentation, kind)
        self.label_names = tuple(labels)
        self.sample_name = f"{name}_total" if kind == "counter" else name
        self._rows: list[tuple[tuple[str, ...], float]] = []
        self._choices: list[tuple[tuple[str, ...], tuple[str, ...], str]] = []

    def add(self, values: tuple[str, ...], number: float) -> None:
        """One sample, by the values of its labels in order."""
        self._rows.append((values, number))

    def choose(self, values: tuple[str, ...], among: tuple[str, ...], chosen: str) -> None:
        """A sample for each of `among` as the last label: 1 for the chosen one, 0 for the others."""
        self._choices.append((values, among, chosen))

    @property
    def samples(self) -> list[Sample]:
        """As the library has them."""
        name, names = self.sample_name, self.label_names
        found = [Sample(name, dict(zip(names, values, strict=True)), number) for values, number in self._rows]
        for values, among, chosen in self._choices:
            for one in among:
                labels = dict(zip(names, (*values, one), strict=True))
                found.append(Sample(name, labels, 1.0 if one == chosen else 0.0))
        return found

    @samples.setter
    def samples(self, _: Any) -> None:
        """The library's constructor sets an empty list."""

    def lines(self) -> Iterator[str]:
        """The samples as text."""
        name, names = self.sample_name, self.label_names
        for values, number in self._rows:
            yield f"{name}{_labels(names, values)} {float(number)!r}\n"
        for values, among, chosen in self._choices:
            yield _choice(name, names, values, among, chosen)


def text_of(registry: CollectorRegistry) -> bytes:
    """The exposition of a registry of gauges and counters; blocks for a microsecond or two a sample."""
    return "".join(_lines(registry.collect())).encode()


def _lines(families: Iterable[Metric]) -> Iterator[str]:
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield f"# HELP {name} {_escaped_help(family.documentation)}\n# TYPE {name} {family.type}\n"
        if isinstance(family, Rows):
            yield from family.lines()
            continue
        for sample in family.samples:
            if sample.name.endswith("_created"):
                continue
            labels = _labels(tuple(sample.labels), tuple(sample.labels.values()))
            yield f"{sample.name}{labels} {float(sample.value)!r}\n"


@lru_cache(maxsize=REMEMBERED_LABELS)
def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    if not names:
        return ""
    return "{" + ",".join([f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True)]) + "}"


@lru_cache(maxsize=REMEMBERED_LABELS)
def _choice(name: str, names: tuple[str, ...], values: tuple[str, ...], among: tuple[str, ...], chosen: str) -> str:
    lines = [f"{name}{_labels(names, (*values, one))} {'1.0' if one == chosen else '0.0'}\n" for one in among]
    return "".join(lines)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _escaped_help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
