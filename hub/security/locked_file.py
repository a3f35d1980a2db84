"""A small JSON file that several processes of one machine share: the command line writes, the API reads."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from hub.security.errors import CredentialStoreError

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700

T = TypeVar("T")
Entries = dict[str, dict[str, Any]]


class LockedFile:
    """Entries by id in a JSON object. Thread-safe; a change is atomic, and others see it at their next `read`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._entries: Entries = {}

    @property
    def path(self) -> Path:
        return self._path

    def read(self) -> Entries:
        """All entries, read again only when the file changed; not to be changed. Raises CredentialStoreError."""
        with self._lock:
            try:
                status = self._path.stat()
            except FileNotFoundError:
                self._stamp, self._entries = None, {}
                return self._entries
            stamp = status.st_mtime_ns, status.st_ino, status.st_size
            if stamp != self._stamp:
                self._entries = self._load()
                self._stamp = stamp
            return self._entries

    def update(self, change: Callable[[Entries], T]) -> T:
        """Apply `change` to the entries while no other process can, store them, and return its answer.

        Nothing is written if `change` raises or leaves the entries as they were. Blocks for other writers.
        """
        with self._exclusive():
            entries = self._load() if self._path.exists() else {}
            before = json.dumps(entries)
            answer = change(entries)
            if json.dumps(entries) != before:
                self._store(entries)
            return answer

    def _load(self) -> Entries:
        try:
            entries = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise self._unreadable(type(error).__name__) from error
        if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
            raise self._unreadable("not an object of objects")
        return entries

    def _unreadable(self, why: str) -> CredentialStoreError:
        return CredentialStoreError(
            f"Không đọc được tệp {self._path} ({why}). Cách xử lý: khôi phục từ bản sao lưu, hoặc xóa và tạo lại khóa",
            f"{self._path} cannot be read ({why}). Cure: restore it from a backup, or delete it and make new keys",
        )

    def _store(self, entries: Entries) -> None:
        scratch = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        scratch.unlink(missing_ok=True)
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(entries, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self._path)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
        lock = self._path.with_name(f".{self._path.name}.lock")
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, FILE_MODE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)  # also between threads: each has its own open file
            yield
        finally:
            os.close(handle)
