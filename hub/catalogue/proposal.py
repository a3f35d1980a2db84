"""A proposed contract: read from a file or an entity's name, linted, and compared with what the registry holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.catalogue.impact import Impact, assess
from hub.config import Settings
from hub.declarations import Declarations
from schemas.codes_table import load_code_tables
from schemas.contract import Contract, check_codes, package_root, parse_contract, read_text
from schemas.contract_finding import Finding
from schemas.contract_lint import lint
from schemas.contract_text import read_schema
from schemas.errors import ContractError


@dataclass(frozen=True, slots=True)
class Proposal:
    """A contract that somebody wants to register. `loaded`: it is the one that the hub itself uses."""

    contract: Contract
    findings: list[Finding]
    impact: Impact
    loaded: bool


def lint_files(files: Sequence[Path] | None, settings: Settings) -> tuple[list[Finding], int]:
    """The findings, and how many contracts were read; without files those of the hub. Raises ContractError."""
    tables = load_code_tables(*filter(None, [settings.codes_dir]))
    roots = _roots(settings)
    paths = list(files) if files else [path for root in roots for path in sorted(root.glob("*/*.avsc"))]
    found: list[Finding] = []
    for path in paths:
        text = read_text(path, path.name)
        found += lint(text, _domain(path, text, roots), path.stem, tables)
    return found, len(paths)


def _roots(settings: Settings) -> list[Path]:
    return [package_root(), *filter(None, [settings.contracts_dir])]


def _domain(path: Path, text: str, roots: Sequence[Path]) -> str:
    """The folder's name where contracts live; elsewhere what the namespace says."""
    folder = path.absolute().parent
    if folder.parent in [root.absolute() for root in roots]:
        return folder.name
    try:
        namespace = str(read_schema(text, path.name).get("namespace", ""))
    except ContractError:
        return folder.name
    return namespace.removeprefix("ioc.") if namespace.startswith("ioc.") else folder.name


def propose(target: str, settings: Settings, declared: Declarations) -> Proposal:
    """What it would do to register `target`, a file or an entity's name.

    Blocks on the registry. Raises ContractError for what is no contract, and RegistryError if the registry does not
    tell: without its versions nobody knows what would break.
    """
    contract, text = _read(target, settings, declared)
    tables = load_code_tables(*filter(None, [settings.codes_dir]))
    findings = lint(text, contract.domain, contract.entity, tables)
    known = declared.contracts.get(contract.entity)
    if known is None:
        check_codes([contract], tables)
    versions, level = _registered(contract, settings)
    old, base = _base(contract, versions, known)
    impact = assess(contract, old, versions, level, base, declared.plans.get(contract.entity), declared.manifests)
    return Proposal(contract, findings, impact, known is not None and known.schema_text == contract.schema_text)


def _read(target: str, settings: Settings, declared: Declarations) -> tuple[Contract, str]:
    path = Path(target)
    if not path.is_file() and target in declared.contracts:
        found = declared.contracts[target]
        return found, json.dumps(found.schema, ensure_ascii=False)
    if not path.is_file():
        known = ", ".join(sorted(declared.contracts))
        raise ContractError(
            f"{target}: there is no such file, and no such entity; there are {known}",
            f"{target}: không có tệp và không có thực thể này; có: {known}",
        )
    text = read_text(path, path.name)
    domain = _domain(path, text, _roots(settings))
    return parse_contract(read_schema(text, path.name), domain, path.stem, path.name), text


def _registered(contract: Contract, settings: Settings) -> tuple[list[dict[str, Any]], str]:
    from hub.wiring import registry_client

    with registry_client(settings) as client:
        numbers = client.versions(contract.subject)
        texts = [client.version(contract.subject, number)[1] for number in numbers]
        return [json.loads(text) for text in texts], client.level(contract.subject)


def _base(
    contract: Contract, versions: Sequence[dict[str, Any]], known: Contract | None
) -> tuple[Contract | None, str]:
    """What the change is read against: the latest registered version, else the contract that the hub uses."""
    if versions:
        where = f"{contract.subject} #{len(versions)}"
        return parse_contract(dict(versions[-1]), contract.domain, contract.entity, where), where
    return known, f"{known.domain}/{known.entity}.avsc" if known is not None else "–"
