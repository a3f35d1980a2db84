"""The text of an `.avsc` as JSON: what is not JSON, or says the same key twice, is refused with its line. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from schemas.errors import ContractError


class _RepeatedKeyError(ValueError):
    def __init__(self, key: str, inside: str) -> None:
        super().__init__(key)
        self.key, self.inside = key, inside


def read_schema(text: str, where: str) -> dict[str, Any]:
    """The JSON object that `text` holds; ContractError names `where`, the line and the cure."""
    try:
        schema = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise ContractError(
            f"{where}: not JSON, line {error.lineno}, column {error.colno}: {error.msg}; mend the syntax there",
            f"{where}: không phải JSON, dòng {error.lineno}, cột {error.colno}: {error.msg}; hãy sửa cú pháp ở đó",
        ) from error
    except RecursionError as error:
        raise ContractError(
            f"{where}: nested far too deep; a contract is a record of flat fields",
            f"{where}: lồng quá sâu; hợp đồng dữ liệu là một record gồm các trường phẳng",
        ) from error
    except _RepeatedKeyError as error:
        raise ContractError(
            f"{where}{error.inside}: the key {error.key!r} stands twice in one object; keep one",
            f"{where}{error.inside}: khóa «{error.key}» có hai lần trong một đối tượng; hãy giữ một",
        ) from error
    if not isinstance(schema, dict):
        raise ContractError(
            f"{where}: a contract is a JSON object with type, name, namespace and fields",
            f"{where}: hợp đồng dữ liệu là một đối tượng JSON có type, name, namespace và fields",
        )
    return schema


def line_of_field(text: str, name: str) -> int | None:
    """The line (from 1) on which the field of this name is written, None if it is not found."""
    found = re.search(rf'"name"\s*:\s*{re.escape(json.dumps(name, ensure_ascii=False))}', text)
    return text.count("\n", 0, found.start()) + 1 if found else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            named = seen.get("name")
            raise _RepeatedKeyError(key, f".{named}" if isinstance(named, str) and key != "name" else "")
        seen[key] = value
    return seen
