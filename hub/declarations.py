"""What is declared, loaded once per process: contracts, KPI plans, code tables, connector manifests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.manifest import Manifest, load_manifests
from hub.config import Settings
from schemas.codes_table import CodeTable, load_code_tables
from schemas.contract import Contract, load_contracts
from streams.plan import EntityPlan, load_plans


@dataclass(frozen=True, slots=True)
class Declarations:
    """By entity, by name, by connector id."""

    contracts: Mapping[str, Contract]
    plans: Mapping[str, EntityPlan]
    codes: Mapping[str, CodeTable]
    manifests: Mapping[str, Manifest]


def load_declarations(settings: Settings) -> Declarations:
    """Read the packages' declarations and those of the settings' directories; raises what is wrong with a file."""
    contracts = load_contracts()
    return Declarations(
        contracts,
        load_plans(contracts),
        load_code_tables(*filter(None, [settings.codes_dir])),
        load_manifests(*filter(None, [settings.connectors_dir])),
    )
