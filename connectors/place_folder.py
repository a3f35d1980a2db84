"""Files in a directory of this machine: uploads, and network shares."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from connectors.errors import SourceError, SourceRefusedError, SourceUnavailableError, Text
from connectors.file_places import FileGoneError, Found, Selection


class FolderPlace:
    """See `Place`. Links are not followed out of the directory: they are not followed at all."""

    def __init__(self, directory: Path, selection: Selection, *, make: bool = False) -> None:
        """`make`: create the directory if it does not exist, as for uploads; not the one it lies in."""
        self._directory = directory
        self._selection = selection
        self._make = make

    async def reach(self) -> Text:
        found = await self.files()
        return Text(f"thư mục có {len(found)} tệp", f"the directory has {len(found)} files")

    async def files(self) -> list[Found]:
        return await asyncio.to_thread(self._list)

    async def fetch(self, found: Found) -> bytes:
        try:
            return await asyncio.to_thread((self._directory / found.path).read_bytes)
        except FileNotFoundError:
            raise FileGoneError(found.path) from None
        except OSError as error:
            raise _fault(error) from error

    async def delete(self, found: Found) -> None:
        try:
            (self._directory / found.path).unlink(missing_ok=True)
        except OSError as error:
            raise _fault(error) from error

    async def move(self, found: Found, folder: str) -> None:
        path = self._directory / found.path
        try:
            target = path.parent / folder
            target.mkdir(exist_ok=True)
            path.replace(target / path.name)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _fault(error) from error

    async def close(self) -> None:
        return

    def _list(self) -> list[Found]:
        found: list[Found] = []
        try:
            if self._make:
                self._directory.mkdir(exist_ok=True)
            self._walk(self._directory, "", found)
        except OSError as error:
            raise _fault(error) from error
        return found

    def _walk(self, directory: Path, prefix: str, found: list[Found]) -> None:
        with os.scandir(directory) as entries:
            for entry in entries:
                path = prefix + entry.name
                if entry.is_file(follow_symlinks=False):
                    if self._selection.takes(path):
                        status = entry.stat(follow_symlinks=False)
                        found.append(Found(status.st_mtime, path, status.st_size))
                elif entry.is_dir(follow_symlinks=False) and self._selection.enters(entry.name):
                    self._walk(Path(entry.path), path + "/", found)


def _fault(error: OSError) -> SourceError:
    name = type(error).__name__
    if isinstance(error, PermissionError):
        return SourceRefusedError(
            Text(
                f"Không có quyền với thư mục hoặc tệp ({name}); cấp quyền cho người dùng chạy trục tích hợp",
                f"No right to the directory or file ({name}); grant it to the user that runs the hub",
            )
        )
    return SourceUnavailableError(Text(f"Chưa đọc được thư mục ({name})", f"The directory cannot be read now ({name})"))
