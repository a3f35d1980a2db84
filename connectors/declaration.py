"""Reading a manifest strictly: the words of `schemas/declaration.py`, as this package's error; references."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, WithJsonSchema

from connectors.errors import ManifestError
from connectors.secrets import Reference
from schemas import declaration
from schemas.declaration import BilingualText, MisdeclaredError, Section, line_of, nearest, unknown_key
from schemas.errors import DeclarationError

__all__ = [
    "BilingualText",
    "MisdeclaredError",
    "Resolvable",
    "Secret",
    "Section",
    "line_of",
    "nearest",
    "parse",
    "read_yaml",
    "unknown_key",
]

Model = TypeVar("Model", bound=BaseModel)


def _reference(value: object) -> object:
    return Reference(value) if isinstance(value, str) else value


def _secret(value: object) -> object:
    if isinstance(value, str) and not Reference(value).has_reference:
        raise MisdeclaredError(
            "là bí mật, không được ghi trong tệp; hãy viết ${env:IOC_SECRET_…} hoặc ${file:…}",
            "is a secret and may not stand in the file; write ${env:IOC_SECRET_…} or ${file:…}",
        )
    return _reference(value)


Resolvable = Annotated[Reference, BeforeValidator(_reference), WithJsonSchema({"type": "string"})]
"""A text that may hold references, such as an address."""
Secret = Annotated[
    Reference,
    BeforeValidator(_secret),
    WithJsonSchema({"type": "string", "pattern": r"\$\{(env|file):[^}]+\}", "format": "secret-reference"}),
]
"""A text that must be a reference: a secret never stands in a manifest."""


def read_yaml(path: Path) -> tuple[dict[str, Any], yaml.Node]:
    """See `schemas.declaration.read_yaml`; ManifestError."""
    try:
        return declaration.read_yaml(path)
    except DeclarationError as error:
        raise ManifestError.of(error) from error


def parse(
    model: type[Model], raw: Any, file: str, tree: yaml.Node | None, prefix: tuple[str, ...] = (), context: Any = None
) -> Model:
    """See `schemas.declaration.parse`; ManifestError."""
    try:
        return declaration.parse(model, raw, file, tree, prefix, context)
    except DeclarationError as error:
        raise ManifestError.of(error) from None
