"""Values as YAML: what PyYAML writes, so that it reads it again as it was."""

from __future__ import annotations

from typing import Any

import yaml

WIDTH = 1_000_000
"""Lines are never folded: a value stays on the line it was written on."""


class _Dumper(yaml.SafeDumper):
    """A next-line sign (U+0085) goes into double quotes, where it is escaped: in others it is read as a space."""

    def analyze_scalar(self, scalar: str) -> Any:
        found = super().analyze_scalar(scalar)
        if "\x85" in scalar:
            found.allow_flow_plain = found.allow_block_plain = found.allow_single_quoted = found.allow_block = False
        return found


def to_yaml(value: Any, **style: Any) -> str:
    """`value` in YAML, Vietnamese as it is; `style` as PyYAML's `dump` takes it."""
    return str(yaml.dump(value, Dumper=_Dumper, allow_unicode=True, **style))
