"""Code tables as people's files: CSV and Excel in, both out; and whether what is declared can live with a new one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from connectors.errors import ManifestError
from connectors.file_formats import FileRefusedError, Xlsx, read_rows
from connectors.mapping import compile_mapping
from connectors.pseudonym import Pseudonymiser
from hub.catalogue.workbook import code_workbook
from hub.declarations import Declarations
from schemas.codes_table import CodeTable, as_csv, read_table, table_of
from schemas.errors import ContractError

FORMS = ("csv", "xlsx")
TRIAL_KEY = b"codes" * 8
"""For mappings that are compiled and thrown away: no pseudonym is made."""


def read_code_file(path: Path, name: str) -> CodeTable:
    """The table in a file, by its suffix; ContractError names line, column and cure. Reads the file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ContractError(
            f"{path.name}: cannot be read: {error.strerror}", f"{path.name}: không đọc được: {error.strerror}"
        ) from error
    return code_table_in(data, path.name, name)


def code_table_in(data: bytes, file: str, name: str) -> CodeTable:
    """The table that a file called `file` holds; ContractError names line, column and cure. Pure."""
    if file.lower().endswith(".xlsx"):
        return table_of(name, _lines(data, file), file)
    try:
        return read_table(name, data.decode("utf-8-sig"), file)
    except UnicodeDecodeError as error:
        raise ContractError(
            f"{file}: byte {error.start} is not UTF-8; save it as “CSV UTF-8”",
            f"{file}: byte {error.start} không phải UTF-8; hãy lưu dạng «CSV UTF-8»",
        ) from error


def _lines(data: bytes, file: str) -> list[list[str]]:
    """Header and rows of the first sheet; days that Excel holds as days are written as in CSV."""
    form = Xlsx(type="xlsx", total_row=())
    lines: list[list[str]] = []
    try:
        for number, row in read_rows(data, form):
            if not isinstance(row, dict):
                raise ContractError(
                    f"{file}, row {number}: {row.problem.en}", f"{file}, dòng {number}: {row.problem.vi}"
                )
            lines = lines or [list(row)]
            lines.append([_cell(name, value) for name, value in row.items()])
    except FileRefusedError as error:
        raise ContractError(f"{file}: {error.problem.en}", f"{file}: {error.problem.vi}") from error
    return lines


def _cell(name: str, value: object) -> str:
    text = "" if value is None else str(value)
    return text[:10] if name.startswith("valid_") else text


def code_file(table: CodeTable, form: str) -> bytes:
    """The table as a file of one of `FORMS`."""
    if form == "xlsx":
        return code_workbook(table.name, [list(table.columns), *(list(row) for row in table.rows)])
    return as_csv(table).encode()


def misfits(table: CodeTable, tables: Mapping[str, CodeTable], declared: Declarations) -> list[str]:
    """Why manifests of the tree and KPIs could not go on with this table; empty if all can. Pure."""
    after = {**tables, table.name: table}
    found = []
    for manifest in declared.manifests.values():
        if table.name in manifest.tables:
            try:
                compile_mapping(manifest, declared.contracts[manifest.entity], Pseudonymiser(TRIAL_KEY), after)
            except ManifestError as error:
                found.append(str(error))
    before = tables.get(table.name)
    named = {kpi.codes for plan in declared.plans.values() for kpi in plan.kpis}
    if before is not None and table.name in named:
        found += [f"{table.name}: {column}" for column in before.columns if column not in table.columns]
    return found
