"""Where settings come from: flags > `IOC_*` environment (`__` nests) > `.env` > `./ioc.toml` > defaults.

Reads the layers into flat maps from a dotted key to text and origin, and refuses what it does not know with the
nearest right name. Errors:

    ConfigError            the process must not start; the message names the key's path and the cure
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

PREFIX = "IOC_"

OTHER_VARIABLES = frozenset(("IOC_API_KEY", "IOC_PORTAL_URL"))
"""`IOC_*` variables that are not settings: the key of the command line, an address used by a manifest."""

OTHER_PREFIXES = ("IOC_SECRET_", "IOC_TEST_", "IOC_FAULT", "IOC_DEMO_")
"""Families of variables that are not settings: secrets of connectors, switches of tests, injected faults."""

FILE_SUFFIX = "_file"


class ConfigError(Exception):
    """A setting is unknown or wrong: every problem on a line of its own."""


@dataclass(frozen=True, slots=True)
class Value:
    """One setting as it was given, and where: `origin` is shown to people."""

    raw: Any
    origin: str


Layer = dict[str, Value]


def is_other(name: str) -> bool:
    """Whether the environment variable belongs to the product without being a setting."""
    return name in OTHER_VARIABLES or name.startswith(OTHER_PREFIXES)


def environment_layer(variables: Mapping[str, str | None], where: str, known: Iterable[str]) -> Layer:
    """Settings among `variables`; raises `ConfigError` for an unknown `IOC_*` one or an unreadable `*_FILE`."""
    keys = set(known)
    layer: Layer = {}
    problems: list[str] = []
    for name, text in sorted(variables.items()):
        if not name.startswith(PREFIX) or is_other(name) or text is None:
            continue
        key = name[len(PREFIX) :].lower().replace("__", ".")
        if key in keys:
            layer[key] = Value(text, f"{where} {name}")
        elif key.endswith(FILE_SUFFIX) and key.removesuffix(FILE_SUFFIX) in keys:
            layer.setdefault(key.removesuffix(FILE_SUFFIX), _from_file(Path(text), f"{where} {name}"))
        else:
            problems.append(_unknown(f"{where} {name}", key, keys, as_variable))
    if problems:
        raise ConfigError("\n".join(problems))
    return layer


def _from_file(path: Path, origin: str) -> Value:
    try:
        return Value(path.read_text(encoding="utf-8").strip(), f"{origin} ({path})")
    except OSError as error:
        raise ConfigError(f"{origin}: {path}: {error.strerror}") from error


def toml_layer(path: Path, known: Iterable[str]) -> Layer:
    """Settings of a TOML file; empty if there is none. Raises `ConfigError`."""
    if not path.exists():
        return {}
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return _checked({key: Value(raw, f"{path.name} {key}") for key, raw in _flat(tree)}, path.name, known)


def flags_layer(flags: Mapping[str, Any], known: Iterable[str]) -> Layer:
    """Settings given on the command line, by dotted key."""
    return _checked({key: Value(raw, f"--set {key}") for key, raw in flags.items()}, "--set", known)


def _checked(layer: Layer, where: str, known: Iterable[str]) -> Layer:
    keys = set(known)
    problems = [_unknown(f"{where} {key}", key, keys, str) for key in layer if key not in keys]
    if problems:
        raise ConfigError("\n".join(problems))
    return layer


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{key}.")
        else:
            yield key, value


def dotenv_variables(path: Path) -> dict[str, str | None]:
    """The variables of a `.env` file, not expanded into the process; empty if there is none."""
    return dict(dotenv_values(path, interpolate=False)) if path.exists() else {}


def as_variable(key: str) -> str:
    """The environment variable of a dotted key."""
    return PREFIX + key.upper().replace(".", "__")


def _unknown(origin: str, key: str, known: set[str], show: Any) -> str:
    near = nearest(key, known)
    return f"unknown setting: {origin}" + (f" – did you mean {show(near)}?" if near else "")


def nearest(key: str, known: Iterable[str]) -> str | None:
    """The known key that looks most like `key`; a missing or doubled separator counts for little."""
    by_shape = {name.replace(".", "_"): name for name in sorted(known)}
    found = difflib.get_close_matches(key.replace(".", "_"), by_shape, n=1, cutoff=0.5)
    return by_shape[found[0]] if found else None


def nested(layer: Layer) -> dict[str, Any]:
    """The layer as a tree of dictionaries."""
    tree: dict[str, Any] = {}
    for key, value in layer.items():
        *sections, leaf = key.split(".")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[leaf] = value.raw
    return tree
