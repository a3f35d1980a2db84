"""Reading a YAML declaration strictly: every fault is named with file, line, path, what is wrong and the cure."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas import declared_types
from schemas.errors import DeclarationError
from schemas.faults import explain
from schemas.text import Text

MOST_FAULTS = 20
"""Faults of one file that are listed; whoever has more mends these first."""
YAML_BYTES = 1_048_576
"""Largest declaration read; a manifest of 100 fields has some 10 KB."""

Location = tuple[str, ...]
Model = TypeVar("Model", bound=BaseModel)


class Section(BaseModel):
    """One block of a declaration: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, populate_by_name=False)


class BilingualText(Section):
    vi: str
    en: str


class MisdeclaredError(ValueError):
    """For validators of a section: what is wrong, in both languages, with the cure.

    `at` is the path below the validated block; the default is the block itself.
    """

    def __init__(self, vi: str, en: str, at: Location = ()) -> None:
        super().__init__(en)
        self.text = Text(vi, en)
        self.at = at


YAML_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where it is there: ten times as fast, and every process reads all declarations before it begins."""


def read_yaml(path: Path) -> tuple[dict[str, Any], yaml.Node]:
    """The file's mapping and its syntax tree (for line numbers). Reads the file; DeclarationError says why not."""
    try:
        raw_bytes = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DeclarationError(
            Text(f"{path.name}: không đọc được ({reason})", f"{path.name}: cannot be read ({reason})")
        ) from error
    return parse_yaml(raw_bytes, path.name)


def parse_yaml(content: bytes, file: str) -> tuple[dict[str, Any], yaml.Node]:
    """As `read_yaml`, from the file's bytes. A key that stands twice, an anchor and another encoding are refused."""
    if len(content) > YAML_BYTES:
        raise DeclarationError(Text(f"{file}: lớn hơn {YAML_BYTES} byte", f"{file}: larger than {YAML_BYTES} bytes"))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DeclarationError(
            Text(
                f"{file}, dòng {line}: không phải UTF-8; hãy lưu lại tệp ở dạng UTF-8",
                f"{file}, line {line}: is not UTF-8; save the file as UTF-8",
            )
        ) from error
    quick = _quickly(text)
    if quick is None:
        _refuse_anchors(text, file)
    try:
        tree, raw = quick or (yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise _not_yaml(file, error) from error
    except (ValueError, RecursionError) as error:
        raise DeclarationError(
            Text(f"{file}: không phải YAML hợp lệ ({error})", f"{file}: not valid YAML ({error})")
        ) from error
    if not isinstance(raw, dict) or tree is None:
        raise DeclarationError(
            Text(f"{file}: phải là một khối khóa–giá trị", f"{file}: must be a block of keys and values")
        )
    _refuse_doubles(tree, file, ())
    return raw, tree


def _quickly(text: str) -> tuple[Any, Any] | None:
    """Tree and value by libyaml, ten times as fast; None where it is not there, where there is an alias, or where
    something is wrong, so that the messages are those of the reader in Python."""
    if YAML_LOADER is yaml.SafeLoader:
        return None
    try:
        if "*" in text and any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=YAML_LOADER)):
            return None
        return yaml.compose(text, Loader=YAML_LOADER), yaml.load(text, Loader=YAML_LOADER)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _refuse_anchors(text: str, file: str) -> None:
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.AliasToken):
                line = token.start_mark.line + 1
                raise DeclarationError(
                    Text(
                        f"{file}, dòng {line}: không dùng bí danh «*{token.value}»; hãy viết lại giá trị",
                        f"{file}, line {line}: the alias “*{token.value}” is not followed; write the value again",
                    )
                )
    except yaml.YAMLError as error:
        raise _not_yaml(file, error) from error


def _not_yaml(file: str, error: yaml.YAMLError) -> DeclarationError:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else 1
    problem = getattr(error, "problem", None) or "?"
    if "'\\t'" in problem:
        return DeclarationError(
            Text(
                f"{file}, dòng {line}: thụt lề bằng dấu tab; hãy dùng dấu cách",
                f"{file}, line {line}: indented by a tab; use blanks",
            )
        )
    return DeclarationError(
        Text(
            f"{file}, dòng {line}: không phải YAML hợp lệ ({problem})",
            f"{file}, line {line}: not valid YAML ({problem})",
        )
    )


def _refuse_doubles(node: yaml.Node, file: str, loc: Location) -> None:
    """YAML's readers keep the last of two equal keys: what the officer wrote first would be lost in silence."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            where = (*loc, str(key.value))
            if str(key.value) in seen:
                raise misdeclared(
                    file, node, where, Text("viết hai lần; hãy bỏ một", "stands twice; take one away"),
                    line=key.start_mark.line + 1,
                )  # fmt: skip
            seen.add(str(key.value))
            _refuse_doubles(value, file, where)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            _refuse_doubles(value, file, (*loc, str(number)))


def misdeclared(
    file: str, tree: yaml.Node | None, loc: Location, problem: Text, line: int | None = None
) -> DeclarationError:
    """The error of one place: `problem` goes on after the quoted path."""
    at = line if line is not None else (line_of(tree, loc) if tree is not None else None)
    where = ".".join(loc)
    head_vi = f"{file}, dòng {at}" if at is not None else file
    head_en = f"{file}, line {at}" if at is not None else file
    return DeclarationError(
        Text(f"{head_vi}: «{where}» {problem.vi}", f"{head_en}: “{where}” {problem.en}"), path=where, line=at
    )


def parse(
    model: type[Model], raw: Any, file: str, tree: yaml.Node | None, prefix: Location = (), context: Any = None
) -> Model:
    """`raw` as `model`; DeclarationError lists every fault, each with file, line, path and cure."""
    try:
        return model.model_validate(raw, context=context)
    except ValidationError as error:
        found = [
            misdeclared(file, tree, (*prefix, *loc), problem)
            for loc, problem in _faults(model, raw, error.errors(include_url=False))
        ]
    found.sort(key=lambda fault: fault.line or 0)
    raise DeclarationError.of(found[:MOST_FAULTS])


def _faults(model: type[BaseModel], raw: Any, errors: Sequence[Any]) -> list[tuple[Location, Text]]:
    """Each place once. A misspelt key is also a missing one: the misspelling is what helps."""
    unknown: list[tuple[Location, Text]] = []
    others: list[tuple[Location, str, Text]] = []
    for error in errors:
        loc = _place(raw, error["loc"])
        if error["type"] == "extra_forbidden":
            known = declared_types.keys_at(model, tuple(error["loc"]))
            vi, en = unknown_key(loc[-1], known)
            unknown.append((loc, Text(vi, en)))
        else:
            cause = (error.get("ctx") or {}).get("error")
            at = cause.at if isinstance(cause, MisdeclaredError) else ()
            text = cause.text if isinstance(cause, MisdeclaredError) else explain(error)
            others.append(((*loc, *at), error["type"], text))
    blocks = {loc[:-1] for loc, _ in unknown}
    found = dict(unknown)
    for loc, kind, text in others:
        if not (kind == "missing" and loc[:-1] in blocks):
            found.setdefault(loc, text)
    return list(found.items())


def _place(raw: Any, loc: Sequence[int | str]) -> Location:
    """`loc` without pydantic's own parts (the names of union members and tags), as the officer wrote it."""
    place: list[str] = []
    node = raw
    for number, part in enumerate(loc):
        last = number == len(loc) - 1
        if isinstance(node, Mapping):
            key = next((key for key in node if key == part or str(key) == str(part)), None)
            if key is not None:
                place.append(str(key))
                node = node[key]
            elif last and not declared_types.is_member_name(str(part)):
                place.append(str(part))
        elif isinstance(node, Sequence) and not isinstance(node, str) and isinstance(part, int) and part < len(node):
            place.append(str(part))
            node = node[part]
    return tuple(place)


def line_of(tree: yaml.Node, loc: Location) -> int:
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


def lines_of(tree: yaml.Node, prefix: str = "") -> dict[str, int]:
    """The line (from 1) of every key, by dotted path."""
    found: dict[str, int] = {}
    if isinstance(tree, yaml.MappingNode):
        for key, value in tree.value:
            found[f"{prefix}{key.value}"] = key.start_mark.line + 1
            found |= lines_of(value, f"{prefix}{key.value}.")
    return found


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like `word`, if any is like it."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return matches[0] if matches else None


def unknown_key(word: str, known: typing.Iterable[str], noun_vi: str = "khóa", noun_en: str = "key") -> tuple[str, str]:
    """What to say about an unknown key (or another named thing), in Vietnamese and English."""
    names = sorted(known)
    hint = nearest(word, names)
    if hint:
        return f"không có {noun_vi} này; có phải «{hint}»?", f"is no known {noun_en}; did you mean “{hint}”?"
    listed = ", ".join(names)
    return f"không có {noun_vi} này; các {noun_vi}: {listed}", f"is no known {noun_en}; the {noun_en}s are: {listed}"
