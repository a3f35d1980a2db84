"""A first manifest for the editor: what kind and contract need, with places to be filled in."""

from __future__ import annotations

from connectors.draft import TODO, Answers, as_yaml, draft
from connectors.manifest import config_model
from schemas.contract import Contract


def first_text(kind: str, contract: Contract, org: str) -> str:
    """The YAML of a draft; `org` is the unit's code, empty if the caller has none."""
    name = f"{contract.entity.replace('_', '-')}-{kind.replace('_', '-')}"
    answers = Answers(
        id=name,
        kind=kind,
        name_vi=TODO,
        name_en=TODO,
        department=TODO,
        contact=TODO,
        org=org or TODO,
        sla={"cadence_s": 3600},
        source={},
    )
    return as_yaml(draft(answers, contract, config_model(kind), ()), contract.entity)
