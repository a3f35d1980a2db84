"""Where files lie: one protocol over uploads, directories, SFTP and FTP."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from connectors.errors import SourceRefusedError, Text
from connectors.file_config import Folder, Ftp, Pickup, Sftp
from connectors.secrets import SecretResolver
from connectors.source import Surroundings


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """A file as listed: its path below the place, size in bytes, time of change in seconds (0 if not told)."""

    modified: float
    path: str
    size: int

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class FileGoneError(Exception):
    """The file was there when listed and is no more."""


class Place(Protocol):
    """Raises SourceUnavailableError, SourceRefusedError, CredentialsError; connects when first needed."""

    async def reach(self) -> Text:
        """Connect and sign in; what was found."""
        ...

    async def files(self) -> list[Found]:
        """All files that the pattern takes, in no order."""
        ...

    async def fetch(self, found: Found) -> bytes:
        """The whole file; FileGoneError if it is no more."""
        ...

    async def delete(self, found: Found) -> None: ...

    async def move(self, found: Found, folder: str) -> None:
        """Move it into `folder`, beside the file; a file of that name there is replaced."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Selection:
    """Which listed names are taken."""

    pattern: str
    recursive: bool
    passed_over: str

    def takes(self, path: str) -> bool:
        """Whether a file is taken; hidden ones and those of the folder that read files are moved to are not."""
        folders, _, name = path.rpartition("/")
        if name.startswith(".") or self.passed_over in folders.split("/"):
            return False
        return fnmatch.fnmatch(path if "/" in self.pattern else name, self.pattern)

    def enters(self, name: str) -> bool:
        """Whether a directory is looked into."""
        return self.recursive and not name.startswith(".") and name != self.passed_over


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is and who signs in there, resolved."""

    host: str
    port: int
    username: str
    password: str | None = field(repr=False)

    @classmethod
    def of(cls, config: Sftp | Ftp, secrets: SecretResolver) -> Server:
        """NotConfiguredError if a reference has no value."""
        port = config.port if isinstance(config.port, int) else int(secrets.resolve(config.port))
        password = None if config.password is None else secrets.resolve(config.password)
        return cls(secrets.resolve(config.host), port, secrets.resolve(config.username), password)

    @property
    def signed_in(self) -> Text:
        return Text(f"đã đăng nhập {self.host}", f"signed in at {self.host}")


def open_place(pickup: Pickup, connector: str, around: Surroundings) -> Place:
    """The place of a manifest; NotConfiguredError if a reference has no value."""
    selection = Selection(pickup.pattern, pickup.recursive, pickup.moved_to)
    config = pickup.place
    if isinstance(config, Sftp):
        from connectors.place_sftp import SftpPlace

        return SftpPlace(config, selection, around)
    if isinstance(config, Ftp):
        from connectors.place_ftp import FtpPlace

        return FtpPlace(config, selection, around)
    from connectors.place_folder import FolderPlace

    if isinstance(config, Folder):
        directory = Path(around.secrets.resolve(config.path))
        return FolderPlace(_allowed(directory, around.folders), selection)
    if not around.folders:
        raise SourceRefusedError(Text("Chưa có thư mục nhận tệp tải lên", "There is no directory for uploads"))
    return FolderPlace(around.folders[0] / connector, selection, make=True)


def _allowed(directory: Path, folders: tuple[Path, ...]) -> Path:
    resolved = directory.resolve()
    if not any(resolved.is_relative_to(folder.resolve()) for folder in folders):
        raise SourceRefusedError(
            Text(
                f"Không được đọc thư mục {directory}; người vận hành thêm nó vào IOC_CONNECT__FOLDERS",
                f"The directory {directory} may not be read; the operator adds it to IOC_CONNECT__FOLDERS",
            )
        )
    return resolved
