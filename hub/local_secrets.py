"""Secrets that a stack on one machine makes for itself: files of mode 0600 under `<state>/secrets`.

Made at the first start, kept for ever: the warehouse's passwords, the key of the pseudonyms, the command line's key.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class LocalSecrets:
    """The directory of a state's secrets."""

    directory: Path

    def path(self, name: str) -> Path:
        return self.directory / name

    def read(self, name: str) -> str | None:
        """The secret, None if it was never made; surrounding white space does not count."""
        try:
            return self.path(name).read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None

    def write(self, name: str, value: str) -> None:
        """Store atomically, readable by the owner only."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
        scratch = self.path(f".{name}.{os.getpid()}")
        scratch.unlink(missing_ok=True)
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(value + "\n")
        scratch.replace(self.path(name))

    def ensure(self, name: str) -> str:
        """The secret, made of random bytes (hex) if there is none yet. Two processes at once agree on one."""
        found = self.read(name)
        if found is not None:
            return found
        self.directory.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
        scratch = self.path(f".{name}.{os.getpid()}.new")
        self.write(scratch.name, secrets.token_hex(SECRET_BYTES))
        try:
            os.link(scratch, self.path(name))
        except FileExistsError:
            pass
        finally:
            scratch.unlink(missing_ok=True)
        made = self.read(name)
        if made is None:
            raise OSError(f"{self.path(name)} is empty; delete it to have a new one made")
        return made


def local_secrets(state_dir: Path) -> LocalSecrets:
    """The secrets of the stack whose state is in `state_dir`."""
    return LocalSecrets(state_dir / "secrets")
