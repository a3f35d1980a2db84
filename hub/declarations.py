"""What is declared, loaded once per process: contracts, calendars, KPI plans, code tables, connector manifests."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from connectors.manifest import Manifest
from connectors.seeds import Seed, load_seeds
from hub.canary import declared as canary
from hub.canary.declared import directories
from hub.config import Settings
from schemas.calendar_files import Calendars, load_calendars
from schemas.codes_table import CodeTable, load_code_tables
from schemas.contract import Contract, check_codes, load_contracts
from streams.plan import EntityPlan, load_plans, package_root


@dataclass(frozen=True, slots=True)
class Declarations:
    """By entity, by name, by connector id.

    `in_use`: the contracts that a connector leans on. Only these have a topic, tables and a place in the stream worker:
    each costs the embedded warehouse memory and a start time, and the others have no data to show.
    """

    contracts: Mapping[str, Contract]
    in_use: Mapping[str, Contract]
    plans: Mapping[str, EntityPlan]
    codes: Mapping[str, CodeTable]
    calendars: Calendars
    seeds: Mapping[str, Seed]

    @property
    def manifests(self) -> Mapping[str, Manifest]:
        """Those of the tree; what runs is in the configs' topic."""
        return {name: seed.manifest for name, seed in self.seeds.items()}


def load_declarations(settings: Settings) -> Declarations:
    """Read the packages' declarations and those of the settings' directories; raises what is wrong with a file."""
    every_s = settings.monitor.canary_s
    contracts = load_contracts(None, *directories(canary.CONTRACTS, settings.contracts_dir, every_s))
    codes = load_code_tables(*filter(None, [settings.codes_dir]))
    check_codes(contracts.values(), codes)
    plans = load_plans(contracts, package_root(), *filter(None, [settings.kpis_dir]))
    calendars = load_calendars(*filter(None, [settings.calendars_dir]))
    seeds = load_seeds(*directories(canary.CONNECTORS, settings.connectors_dir, every_s), calendars=calendars.calendars)
    return Declarations(contracts, in_use(contracts, seeds), plans, codes, calendars, seeds)


def with_topics(declared: Declarations, missing: Collection[str]) -> Declarations:
    """The declarations with every contract in use whose topic exists: one that a connector has come for since. Pure."""
    used = {
        entity: contract
        for entity, contract in declared.contracts.items()
        if entity in declared.in_use or contract.topic not in missing
    }
    return replace(declared, in_use=used)


def in_use(contracts: Mapping[str, Contract], seeds: Mapping[str, Seed]) -> dict[str, Contract]:
    """The contracts that a connector of the tree leans on. Pure."""
    asked = {seed.manifest.entity for seed in seeds.values()}
    return {entity: contract for entity, contract in contracts.items() if entity in asked}
