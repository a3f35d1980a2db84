"""A contract as a file: `.avsc`, JSON Schema, Markdown, and the data dictionary for Excel. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.manifest import Manifest
from hub.catalogue.dictionary import markdown
from hub.catalogue.lineage import kpis_by_field, sources_by_field
from hub.catalogue.workbook import workbook
from hub.declarations import Declarations
from schemas.contract import Contract
from schemas.contract_json import record_schema

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

FORMATS: dict[str, tuple[str, str]] = {
    "avsc": (".avsc", "application/json"),
    "json-schema": (".schema.json", "application/schema+json"),
    "md": (".md", "text/markdown; charset=utf-8"),
    "xlsx": (".xlsx", XLSX),
}
"""By format: how the file's name ends, and its media type."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file for people to keep."""

    name: str
    media_type: str
    body: bytes


def download(
    declared: Declarations, entity: str, form: str, language: str, manifests: Mapping[str, Manifest]
) -> Download:
    """One contract in one of `FORMATS`, with what the manifests say of its fields."""
    contract = declared.contracts[entity]
    ending, media_type = FORMATS[form]
    return Download(f"{entity}{ending}", media_type, _body(declared, contract, form, language, manifests))


def _body(
    declared: Declarations, contract: Contract, form: str, language: str, manifests: Mapping[str, Manifest]
) -> bytes:
    sources = sources_by_field(contract, manifests)
    kpis = kpis_by_field(contract, declared.plans.get(contract.entity))
    match form:
        case "avsc":
            return avsc(contract)
        case "json-schema":
            return (json.dumps(record_schema(contract, language), ensure_ascii=False, indent=2) + "\n").encode()
        case "md":
            return markdown(contract, language, sources, kpis).encode()
        case _:
            return workbook([contract], language, {contract.entity: sources}, {contract.entity: kpis})


def avsc(contract: Contract) -> bytes:
    """The contract as the package writes it: a field a line."""
    schema = contract.schema
    head = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}," for key, value in schema.items()
            if key != "fields"]  # fmt: skip
    fields = ",\n".join(f"    {json.dumps(field, ensure_ascii=False)}" for field in schema["fields"])
    return "\n".join(["{", *head, '  "fields": [', fields, "  ]", "}", ""]).encode()


def whole_dictionary(declared: Declarations, language: str, manifests: Mapping[str, Manifest]) -> Download:
    """The data dictionary of all contracts as one workbook."""
    contracts = list(declared.contracts.values())
    sources = {item.entity: sources_by_field(item, manifests) for item in contracts}
    kpis = {item.entity: kpis_by_field(item, declared.plans.get(item.entity)) for item in contracts}
    return Download("tu-dien-du-lieu.xlsx", XLSX, workbook(contracts, language, sources, kpis))
