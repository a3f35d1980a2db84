"""Trying a connector without a running worker: its manifest, its source live and read-only, a sample, a report."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson

from connectors import trial
from connectors.clock import now_ms
from connectors.errors import ConnectorError, ManifestError, SourceRefusedError, Text
from connectors.hosts import HostRefusedError, Hosts
from connectors.manifest import Manifest, load_manifest
from connectors.mapping import Mapper, compile_mapping
from connectors.pseudonym import KEY_BYTES, Pseudonymiser
from connectors.secrets import SecretResolver
from connectors.source import Preview, Source, Step, Surroundings
from hub.config import Settings
from hub.declarations import Declarations
from schemas.contract import Contract
from schemas.declaration import unknown_key

ADDRESS_KEYS = ("base_url", "url", "host", "bootstrap_servers", "broker")
"""Where the kinds keep the address of their system: what a refused host is to be mended at."""
SAMPLE_BYTES = 67_108_864
TRIAL_KEY = bytes(KEY_BYTES)
"""Pseudonyms of a trial are shown and never published: no real key is needed, and none is shown to whoever tries."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One manifest on trial; `kpis` rest on its entity.

    `mapper` is None where the mapping does not fit the contract, for the reason `misfit`.
    """

    manifest: Manifest
    contract: Contract
    mapper: Mapper | None
    misfit: ManifestError | None
    around: Surroundings
    kpis: tuple[str, ...] = ()


def find_manifest(name: str, declared: Declarations) -> Manifest:
    """By the path of a file, or by the id of a declared connector. ManifestError says what there is."""
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} or path.exists():
        return load_manifest(path, declared.calendars.calendars)
    if name not in declared.manifests:
        vi, en = unknown_key(name, declared.manifests, "đầu nối", "connector")
        raise ManifestError(Text(f"«{name}»: {vi}", f"“{name}” {en}"))
    return declared.manifests[name]


def contract_of(manifest: Manifest, contracts: Mapping[str, Contract]) -> Contract:
    """The contract of a manifest's entity; ManifestError with the nearest right one."""
    if manifest.entity not in contracts:
        raise manifest.fault(("entity",), Text(*unknown_key(manifest.entity, contracts, "thực thể", "entity")))
    return contracts[manifest.entity]


def open_trial(name: str, settings: Settings, declared: Declarations, folders: tuple[Path, ...]) -> Trial:
    """The manifest with what a trial needs; ManifestError where the file itself is wrong."""
    manifest = find_manifest(name, declared)
    contract = contract_of(manifest, declared.contracts)
    around = Surroundings(
        SecretResolver(file_roots=(settings.state_dir / "secrets",)),
        hosts=Hosts(settings.connect.allowed_hosts),
        folders=folders,
    )
    plans = declared.plans.values()
    kpis = tuple(kpi.id for plan in plans if plan.entity == manifest.entity for kpi in plan.kpis)
    try:
        mapper = compile_mapping(manifest, contract, Pseudonymiser(TRIAL_KEY), declared.codes)
    except ManifestError as error:
        return Trial(manifest, contract, None, error, around, kpis)
    return Trial(manifest, contract, mapper, None, around, kpis)


def is_read(manifest: Manifest) -> bool:
    """Whether the kind is read by us; pushed ones have nothing to reach."""
    return hasattr(import_module(f"connectors.sources.{manifest.kind}"), "open_source")


def _open(found: Trial) -> Source:
    source: Source = import_module(f"connectors.sources.{found.manifest.kind}").open_source(
        found.manifest, found.around
    )
    return source


async def check_steps(found: Trial) -> AsyncIterator[Step]:
    """The manifest, the mapping, then the source's own steps, each with its time; ends after one that fails."""
    count = len(found.manifest.mapping)
    yield Step(
        "manifest", Text("Đọc khai báo", "Read the manifest"), 0.0, Text(found.manifest.file, found.manifest.file)
    )
    begun = time.monotonic()
    label = Text("Đối chiếu hợp đồng dữ liệu", "Hold against the contract")
    if found.misfit is not None:
        yield Step("contract", label, time.monotonic() - begun, error=SourceRefusedError(found.misfit.text))
        return
    fits = Text(f"{count} quy tắc khớp {found.contract.topic}", f"{count} rules fit {found.contract.topic}")
    yield Step("contract", label, time.monotonic() - begun, fits)
    if not is_read(found.manifest):
        async for step in _pushed_steps(found):
            yield step
        return
    try:
        source = _open(found)
    except ConnectorError as error:
        yield Step("open", Text("Mở nguồn", "Open the source"), 0.0, error=SourceRefusedError(error.text))
        return
    try:
        async with aclosing(source.check()) as steps:  # type: ignore[type-var]
            async for step in steps:
                yield step
    finally:
        await source.close()


async def _pushed_steps(found: Trial) -> AsyncIterator[Step]:
    label = Text("Khóa ký của bên đẩy", "The sender's signing key")
    try:
        found.around.secrets.resolve(found.manifest.source.key)
    except ConnectorError as error:
        yield Step("key", label, 0.0, error=SourceRefusedError(error.text))
        return
    yield Step(
        "key",
        label,
        0.0,
        Text(
            f"có; nhận tại POST /v1/ingest/{found.manifest.id}", f"set; received at POST /v1/ingest/{found.manifest.id}"
        ),
    )


async def sample(found: Trial, count: int, file: Path | None) -> Preview:
    """Records of the source as they are now, or those of a file; consumes nothing. Raises a ConnectorError."""
    if file is not None:
        return Preview(sample_records(file)[:count])
    if not is_read(found.manifest):
        raise SourceRefusedError(
            Text(
                f"Nguồn kiểu {found.manifest.kind} tự đẩy dữ liệu, không đọc được; hãy dùng --sample TỆP.json",
                f"A source of kind {found.manifest.kind} pushes and cannot be read; give a file by --sample FILE.json",
            )
        )
    source = _open(found)
    try:
        return await source.preview(count)
    finally:
        await source.close()


def sample_records(file: Path) -> list[Any]:
    """A JSON array, one object, or a JSON object a line. SourceRefusedError names the line that is none."""
    try:
        content = file.read_bytes()[:SAMPLE_BYTES]
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SourceRefusedError(
            Text(f"{file}: không đọc được ({reason})", f"{file}: cannot be read ({reason})")
        ) from error
    try:
        whole = orjson.loads(content)
    except orjson.JSONDecodeError:
        return [_line(file, number, line) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
    return whole if isinstance(whole, list) else [whole]


def _line(file: Path, number: int, line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise SourceRefusedError(
            Text(f"{file}, dòng {number}: không phải JSON", f"{file}, line {number}: is not JSON")
        ) from error


async def dry_run(found: Trial, count: int, file: Path | None) -> trial.Report:
    """The report of a sample; objections say why the manifest may not go live. Raises a SourceError it cannot judge."""
    if found.mapper is None:
        assert found.misfit is not None
        return trial.nothing_read(trial.mapping_objections(found.misfit))
    try:
        preview = await sample(found, count, file)
    except HostRefusedError as error:
        return trial.nothing_read((trial.Objection("host_refused", address_path(found.manifest), error.text),))
    # Looking for personal data takes tens of milliseconds, and other connectors share the loop.
    return await asyncio.to_thread(trial.report, found.manifest, found.contract, found.mapper, preview, now_ms())


def address_path(manifest: Manifest) -> str:
    """The place of the source's address in the manifest."""
    return _address(manifest.source, "source") or "source"


def _address(block: Any, path: str) -> str | None:
    fields = getattr(type(block), "model_fields", {})
    for name in fields:
        if name in ADDRESS_KEYS and getattr(block, name) is not None:
            return f"{path}.{name}"
    below = (_address(getattr(block, name), f"{path}.{name}") for name in fields)
    return next((found for found in below if found is not None), None)
