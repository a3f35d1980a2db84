"""What a manifest says about where files are and how they are picked up; for the kinds `files` and `station_txt`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from connectors.declaration import Resolvable, Secret, Section
from connectors.form import about


class Upload(Section):
    """Files that people upload to the hub."""

    type: Literal["upload"]


class Folder(Section):
    """A directory of the hub's machine, such as a network share; the operator allows it."""

    type: Literal["folder"]
    path: Resolvable = about("Thư mục", "Directory")


class Sftp(Section):
    """`host_key`: the server's public key, as `ssh-keyscan` prints it (`ssh-ed25519 AAAA…`); a check shows it."""

    type: Literal["sftp"]
    host: Resolvable = about("Máy chủ", "Host")
    port: int | Resolvable = about("Cổng", "Port", default=22)
    username: Secret = about("Tên đăng nhập", "User name")
    password: Secret | None = about("Mật khẩu", "Password", default=None)
    private_key: Secret | None = about("Khóa riêng (nội dung PEM)", "Private key (PEM text)", default=None)
    host_key: Resolvable | None = about("Khóa của máy chủ", "Host key", default=None)
    path: str = about("Thư mục", "Directory", default=".")


class Ftp(Section):
    """`tls`: explicit TLS (AUTH TLS) before the password is sent; `ca`: its authority, if the
    system does not know it."""

    type: Literal["ftp"]
    host: Resolvable = about("Máy chủ", "Host")
    port: int | Resolvable = about("Cổng", "Port", default=21)
    username: Secret = about("Tên đăng nhập", "User name")
    password: Secret = about("Mật khẩu", "Password")
    tls: bool = about("Mã hóa TLS", "TLS", default=True)
    ca: Resolvable | None = about("Chứng chỉ CA (nội dung PEM)", "CA certificate (PEM text)", default=None)
    path: str = about("Thư mục", "Directory", default=".")


PlaceConfig = Annotated[Upload | Folder | Sftp | Ftp, Field(discriminator="type")]


class Pickup(Section):
    """Which files are taken, and when. A file is taken once its size and time have been the same for `settle_s`.

    `after`: what becomes of a file that has been delivered: it is kept, deleted, or moved into the folder `moved_to`.
    """

    place: PlaceConfig = about("Nơi đặt tệp", "Where the files are")
    pattern: str = about("Mẫu tên tệp", "File name pattern", default="*")
    recursive: bool = about("Cả thư mục con", "Subdirectories too", default=False)
    settle_s: float = about("Chờ tệp ghi xong (giây)", "Wait until written (seconds)", default=2, ge=0, le=600)
    after: Literal["keep", "delete", "move"] = about("Sau khi đọc", "After reading", default="keep")
    moved_to: str = about("Chuyển vào thư mục", "Folder to move to", default="da_doc")
    max_file_bytes: int = about("Cỡ tệp tối đa", "Largest file", default=200_000_000, gt=0, le=1_000_000_000)
    poll_interval_s: float = about("Nghỉ giữa hai lần đọc (giây)", "Rest between reads (seconds)", default=30, gt=0)
