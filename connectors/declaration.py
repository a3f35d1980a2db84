"""Reading a YAML declaration strictly: unknown keys fail with their path, line and the nearest right key."""

from __future__ import annotations

import difflib
import types
import typing
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from connectors.errors import ManifestError, Text
from connectors.secrets import Reference


class Section(BaseModel):
    """One block of a declaration: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, populate_by_name=False)


def _reference(value: object) -> object:
    return Reference(value) if isinstance(value, str) else value


def _secret(value: object) -> object:
    if isinstance(value, str) and not Reference(value).has_reference:
        raise ValueError("secret_literal")
    return _reference(value)


Resolvable = Annotated[Reference, BeforeValidator(_reference)]
"""A text that may hold references, such as an address."""
Secret = Annotated[Reference, BeforeValidator(_secret)]
"""A text that must be a reference: a secret never stands in a manifest."""


Model = TypeVar("Model", bound=BaseModel)


class BilingualText(Section):
    vi: str
    en: str


def read_yaml(path: Path) -> tuple[dict[str, Any], yaml.Node]:
    """The file's mapping and its syntax tree (for line numbers). Reads the file."""
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "?"
        raise ManifestError(
            Text(
                f"{path.name}, dòng {line}: không phải YAML hợp lệ ({problem})",
                f"{path.name}, line {line}: not valid YAML ({problem})",
            )
        ) from error
    if not isinstance(raw, dict) or tree is None:
        raise ManifestError(
            Text(f"{path.name}: phải là một khối khóa–giá trị", f"{path.name}: must be a block of keys and values")
        )
    return raw, tree


def parse(model: type[Model], raw: Any, file: str, tree: yaml.Node, prefix: tuple[str, ...] = ()) -> Model:
    """`raw` as `model`; ManifestError names file, line, path and cure of the first fault."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        # A misspelt key is also a missing one; the misspelling is what helps.
        first = min(error.errors(include_url=False), key=lambda fault: fault["type"] != "extra_forbidden")
        loc = tuple(str(part) for part in first["loc"])
        vi, en = _explain(model, first, loc)
        loc = _written(raw, loc)
        where = ".".join((*prefix, *loc))
        line = line_of(tree, (*prefix, *loc))
        raise ManifestError(
            Text(f"{file}, dòng {line}: «{where}» {vi}", f"{file}, line {line}: “{where}” {en}")
        ) from None


def _written(raw: Any, loc: tuple[str, ...]) -> tuple[str, ...]:
    """`loc` without the tags of unions, which stand nowhere in the file: parts that lead nowhere, but the last."""
    written: list[str] = []
    for number, part in enumerate(loc):
        inside = raw.get(part) if isinstance(raw, dict) else None
        if isinstance(raw, list | tuple) and part.isdigit() and int(part) < len(raw):
            inside = raw[int(part)]
        if inside is None and number < len(loc) - 1 and isinstance(raw, dict):
            continue
        written.append(part)
        raw = inside
    return tuple(written)


def line_of(tree: yaml.Node, loc: tuple[str, ...]) -> int:
    """The line (from 1) on which the deepest known part of `loc` stands."""
    node: yaml.Node = tree
    line = node.start_mark.line + 1
    for part in loc:
        found: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    line, found = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
            found = node.value[int(part)]
            line = found.start_mark.line + 1
        if found is None:
            return line
        node = found
    return line


def nearest(word: str, known: typing.Iterable[str]) -> str | None:
    """The known word most like `word`, if any is like it."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return matches[0] if matches else None


def unknown_key(word: str, known: typing.Iterable[str]) -> tuple[str, str]:
    """What to say about an unknown key, in Vietnamese and English."""
    names = sorted(known)
    hint = nearest(word, names)
    if hint:
        return f"không có khóa này; có phải «{hint}»?", f"is no known key; did you mean “{hint}”?"
    listed = ", ".join(names)
    return f"không có khóa này; các khóa: {listed}", f"is no known key; the keys are: {listed}"


def _keys(model: type[BaseModel]) -> dict[str, Any]:
    return {info.alias or name: info.annotation for name, info in model.model_fields.items()}


def _model_at(model: type[BaseModel], loc: tuple[str, ...]) -> type[BaseModel]:
    """The model of the block in which the last part of `loc` stands."""
    current: Any = model
    for part in loc[:-1]:
        arguments = _branches(current)
        models = _models(arguments)
        tagged = [each for each in models if part in typing.get_args(_keys(each).get("type"))]
        if tagged:
            current = tagged[0]
        elif models:
            current = _keys(models[0]).get(part, models[0])
        else:
            current = next((typing.get_args(branch)[-1] for branch in arguments if typing.get_args(branch)), current)
    models = _models(_branches(current))
    return models[0] if models else model


def _models(branches: tuple[Any, ...]) -> list[type[BaseModel]]:
    return [branch for branch in branches if isinstance(branch, type) and issubclass(branch, BaseModel)]


def _branches(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of a type, through unions and annotations."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _branches(typing.get_args(annotation)[0])
    if origin in {typing.Union, types.UnionType}:
        return tuple(inner for each in typing.get_args(annotation) for inner in _branches(each))
    return (annotation,)


def _explain(model: type[BaseModel], first: typing.Mapping[str, Any], loc: tuple[str, ...]) -> tuple[str, str]:
    kind = first["type"]
    if kind == "extra_forbidden":
        return unknown_key(loc[-1], _keys(_model_at(model, loc)))
    if kind == "missing":
        return "còn thiếu", "is missing"
    if "secret_literal" in str(first.get("msg", "")):
        return (
            "là bí mật, không được ghi trong tệp; hãy viết ${env:IOC_SECRET_…} hoặc ${file:…}",
            "is a secret and may not stand in the file; write ${env:IOC_SECRET_…} or ${file:…}",
        )
    detail = first["msg"].removeprefix("Value error, ")
    return f"có giá trị sai: {detail}", f"has a wrong value: {detail}"
