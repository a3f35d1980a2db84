"""Personal data in a mapping: personal in the contract, and personal at the source, both mean a pseudonym."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.errors import Text
from connectors.expression import compile_expression
from connectors.manifest import Manifest
from connectors.rules import FieldRule
from schemas.contract import Field

if TYPE_CHECKING:
    from connectors.converters import Converters


def is_within(path: str, personal: str) -> bool:
    """Whether a path of the record is, holds or lies in a personal one."""
    return path == personal or path.startswith(f"{personal}.") or personal.startswith(f"{path}.")


def paths_of(rule: FieldRule) -> list[str]:
    """The paths of the record that a rule reads."""
    if rule.expr is not None:
        return [".".join(path) for path in compile_expression(rule.expr, rule.source).paths]
    return [rule.source] if rule.source is not None else []


def check_personal(manifest: Manifest, field: Field, rule: FieldRule, chosen: Converters) -> None:
    """ManifestError where a personal value would reach the topic as it is."""
    paths = paths_of(rule)
    personal = [path for path in paths if any(is_within(path, tagged) for tagged in manifest.pii)]
    if rule.pseudonym is None and paths and (field.pii is not None or personal):
        which = f" ({personal[0]})" if personal else ""
        raise chosen.fault(
            field.name,
            Text(
                f"là dữ liệu cá nhân{which}, cần khóa pseudonym",
                f"is personal data{which}, the key pseudonym is needed",
            ),
        )
    if rule.pseudonym is not None and field.pii is None:
        raise chosen.fault(
            field.name,
            Text("có pseudonym, nhưng hợp đồng dữ liệu chưa gắn nhãn pii", "the contract has no pii tag on this field"),
            "pseudonym",
        )
