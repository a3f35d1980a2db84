"""Where files lie: what becomes of a file that was read, and servers that are not who they should be."""

from __future__ import annotations

import gc
from pathlib import Path

import asyncssh
import pytest

from connectors.errors import SourceRefusedError
from connectors.file_config import Pickup
from connectors.file_places import FileGoneError, Found, Place, open_place
from connectors.secrets import SecretResolver
from connectors.source import Surroundings
from tests.department_servers import FtpServer
from tests.gate import gate
from tests.portal_server import LOOPBACK
from tests.sftp_server import SftpServer
from tests.worlds.files import FtpWorld, SftpWorld


def place(folder: Path, declared: str, environ: dict[str, str], after: str = "keep") -> Place:
    import yaml

    pickup = Pickup.model_validate({"place": yaml.safe_load(declared), "recursive": True, "after": after})
    around = Surroundings(SecretResolver(environ), hosts=LOOPBACK, folders=(folder,))
    return open_place(pickup, "c", around)


@pytest.fixture(params=["folder", "sftp", "ftp"])
def opened(request: pytest.FixtureRequest, tmp_path: Path):  # type: ignore[no-untyped-def]
    """A place of each kind, and the directory behind it."""
    if request.param == "folder":
        directory = tmp_path / "share"
        directory.mkdir()
        yield place(tmp_path, f"{{type: folder, path: '{directory}'}}", {}), directory
        return
    server: SftpServer | FtpServer = request.getfixturevalue(f"{request.param}_server")
    with gate(server.port) as passage:
        if isinstance(server, SftpServer):
            (tmp_path / "home").mkdir()
            world: SftpWorld | FtpWorld = SftpWorld(tmp_path, tmp_path / "home", passage, server)
        else:
            world = FtpWorld(tmp_path, passage, server)
        yield place(tmp_path, world.place(), world.environ), world.directory


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.parent.chmod(0o777)
    path.write_bytes(data)
    path.chmod(0o666)


# aioftp leaves the data connection of a refused download to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_files_are_listed_fetched_deleted_and_moved(opened: tuple[Place, Path]) -> None:
    there, directory = opened
    for name in ("a.txt", "sub/b.txt", "da_doc/old.txt", ".hidden"):
        put(directory / name, name.encode())
    found = {each.path: each for each in await there.files()}
    assert set(found) == {"a.txt", "sub/b.txt"}
    assert await there.fetch(found["sub/b.txt"]) == b"sub/b.txt"
    assert found["a.txt"].size == 5 and found["a.txt"].modified > 0
    await there.move(found["sub/b.txt"], "da_doc")
    assert (directory / "sub" / "da_doc" / "b.txt").read_bytes() == b"sub/b.txt"
    await there.delete(found["a.txt"])
    assert not (directory / "a.txt").exists()
    assert await there.files() == []
    await there.delete(found["a.txt"])  # gone already: nothing to say
    await there.move(found["sub/b.txt"], "da_doc")
    with pytest.raises(FileGoneError):
        await there.fetch(Found(0.0, "nowhere.txt", 5))
    await there.close()
    gc.collect()


async def test_a_server_is_recognised_by_its_declared_key(tmp_path: Path, sftp_server: SftpServer) -> None:
    sftp_server.homes["so_b"] = tmp_path
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    environ = {"IOC_SECRET_U": "so_b", "IOC_SECRET_P": "never sent"}
    declared = (
        f"{{type: sftp, host: 127.0.0.1, port: {sftp_server.port}, username: '${{env:IOC_SECRET_U}}', "
        "password: '${env:IOC_SECRET_P}'HOSTKEY}"
    )
    unknown = place(tmp_path, declared.replace("HOSTKEY", ""), environ)
    with pytest.raises(SourceRefusedError, match="The server shows: ssh-ed25519 ") as caught:
        await unknown.reach()
    assert sftp_server.host_key.split()[1] in str(caught.value)
    impostor = place(tmp_path, declared.replace("HOSTKEY", f", host_key: '{other}'"), environ)
    with pytest.raises(SourceRefusedError, match="not the declared host_key"):
        await impostor.reach()
    garbled = place(tmp_path, declared.replace("HOSTKEY", ", host_key: 'ssh-ed25519 xx'"), environ)
    with pytest.raises(SourceRefusedError, match="unreadable"):
        await garbled.reach()
    for each in (unknown, impostor, garbled):
        await each.close()


async def test_a_missing_directory_is_named(tmp_path: Path, sftp_server: SftpServer) -> None:
    with gate(sftp_server.port) as passage:
        (tmp_path / "home").mkdir()
        world = SftpWorld(tmp_path, tmp_path / "home", passage, sftp_server)
        nowhere = place(tmp_path, world.place().replace("path: /", "path: /khong-co"), world.environ)
        with pytest.raises(SourceRefusedError, match="no directory /khong-co"):
            await nowhere.files()
        await nowhere.close()


def test_directories_are_read_only_where_the_operator_allows_it(tmp_path: Path) -> None:
    for directory in ("/etc", f"{tmp_path}/../../etc"):
        with pytest.raises(SourceRefusedError, match="IOC_CONNECT__FOLDERS"):
            place(tmp_path, f"{{type: folder, path: '{directory}'}}", {})


async def test_a_link_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "passwd").symlink_to("/etc/passwd")
    (tmp_path / "share" / "etc").symlink_to("/etc")
    there = place(tmp_path, f"{{type: folder, path: '{tmp_path}/share'}}", {})
    assert await there.files() == []
