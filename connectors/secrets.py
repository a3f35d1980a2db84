"""References to values that no file of ours holds: `${env:NAME}` and `${file:path}`, resolved late.

What is written in a manifest is a `Reference`; its value exists only where it is used and never in a repr,
a log or a message. Names and directories are allow-listed; everything else is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connectors.errors import ManifestError, NotConfiguredError, Text

PATTERN = re.compile(r"\$\{(env|file):([^}]+)\}")
ENV_PREFIX = "IOC_"
"""Manifests may name only variables of this product: `${env:PATH}` or `${env:AWS_…}` is not theirs to read."""


def references_in(text: str) -> frozenset[tuple[str, str]]:
    """The references of a manifest's text: (`env` or `file`, name)."""
    return frozenset((kind, name) for kind, name in PATTERN.findall(text))


@dataclass(frozen=True, slots=True)
class Reference:
    """A text with references in it, as written in a manifest. Printing it shows the references, never values."""

    template: str

    @property
    def has_reference(self) -> bool:
        return PATTERN.search(self.template) is not None

    def __str__(self) -> str:
        return self.template if self.has_reference else "•••"

    def __repr__(self) -> str:
        return f"Reference({self!s})"


@dataclass(frozen=True, slots=True)
class SecretResolver:
    """Resolves references from `environ` and from files under `file_roots` (none: no file may be read)."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    file_roots: tuple[Path, ...] = ()
    only: frozenset[tuple[str, str]] | None = None
    """References that may be resolved, as `references_in` gives them; None: all."""

    def resolve(self, reference: Reference) -> str:
        """The value; NotConfiguredError if a name has none, ManifestError if it may not be read. Reads files."""
        return PATTERN.sub(lambda match: self._value(match[1], match[2]), reference.template)

    def optional(self, reference: Reference | None) -> str | None:
        """As `resolve`, None where there is no reference or no value."""
        if reference is None:
            return None
        try:
            return self.resolve(reference) or None
        except NotConfiguredError:
            return None

    def _value(self, kind: str, name: str) -> str:
        if self.only is not None and (kind, name) not in self.only:
            raise NotConfiguredError(
                Text(
                    f"${{{kind}:{name}}} chưa được IOC duyệt cho đơn vị này",
                    f"the IOC has not approved ${{{kind}:{name}}} for this unit yet",
                )
            )
        value = self._env(name) if kind == "env" else self._file(name)
        if not value:
            raise NotConfiguredError(
                Text(
                    f"Chưa có giá trị cho ${{{kind}:{name}}}; hãy đặt rồi khởi động lại đầu nối",
                    f"${{{kind}:{name}}} has no value; set it and restart the connector",
                )
            )
        return value

    def _env(self, name: str) -> str | None:
        if not name.startswith(ENV_PREFIX):
            raise ManifestError(
                Text(
                    f"Không được đọc biến ${{env:{name}}}: chỉ các biến {ENV_PREFIX}*",
                    f"${{env:{name}}} may not be read: only variables {ENV_PREFIX}*",
                )
            )
        return self.environ.get(name)

    def _file(self, name: str) -> str | None:
        path = Path(name).resolve()
        if not any(path.is_relative_to(root.resolve()) for root in self.file_roots):
            raise ManifestError(
                Text(
                    f"Không được đọc tệp ${{file:{name}}}: ngoài các thư mục cho phép",
                    f"${{file:{name}}} may not be read: outside the allowed directories",
                )
            )
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError:
            return None
