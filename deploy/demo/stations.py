"""System 10, environmental stations: files of Circular 10/2021 on an SFTP server and on an FTP server.

Live: one file after the other, each written whole under its name; the first is left half-written for a few seconds.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from starlette.routing import BaseRoute

from deploy.demo.emitter import Emitter
from deploy.demo.ledger import Raw
from deploy.demo.simulation import HOST, Simulator, Site, Stage, System
from deploy.demo.station_files import (
    FTP,
    ID,
    SFTP,
    TWINS,
    bad_files,
    content,
    expected,
    file_of,
    measured,
    stations,
    write_history,
)

USERS = {SFTP: "tnmt", FTP: "kcn"}
HALF_WRITTEN_S = 5.0
KEPT_LIVE_FILES, KEPT_S = 3_000, 180
"""Live files that lie on the servers: so many, or those of so many seconds; older ones are cleared away."""
CORRECTED_SHARE = 0.1


class StationCase:
    """A live file, sometimes followed by one that corrects it. See `deploy.demo.live.Case`."""

    def __init__(self, seed: int, number: int, last: dict[str, int]) -> None:
        """`last`: when each station sent its latest file, shared by all cases: no two files of one bear one second."""
        self._last = last
        self._rng = random.Random(f"{seed}:{number}:{ID}")
        self._station = self._rng.choice(stations())
        corrected = self._station.code not in TWINS and self._rng.random() < CORRECTED_SHARE
        self.length = 2 if corrected else 1
        self._at = 0

    def play(self, step: int, now: int) -> Raw:
        """`now` is the time measured of the first file; a later one has new values for the same time."""
        now = max(now, self._last.get(self._station.code, 0) + 1)
        self._last[self._station.code] = now
        self._at = self._at or now
        return file_of(self._station, now, measured(self._rng, self._station, self._at))

    def restore(self, step: int, at: int, raw: Raw) -> None:
        self.play(step, at)


class Stations:
    """See `Simulator`."""

    def __init__(self, stage: Stage) -> None:
        self._site = stage.site
        self._roots = {place: stage.site.folder / place for place in USERS}
        self._live: deque[Path] = deque()
        self._kept = max(KEPT_LIVE_FILES, round(stage.live_rate * KEPT_S))
        seed, last = stage.origin.seed, dict[str, int]()
        self._emitter = Emitter(stage, write_history, lambda number: StationCase(seed, number, last), self._send)

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    def _send(self, raw: Raw) -> None:
        self._live.append(self._put(raw["place"], raw["path"], content(raw)))
        if len(self._live) > self._kept:
            self._live.popleft().unlink(missing_ok=True)

    def _put(self, place: str, path: str, data: bytes) -> Path:
        """Write a file whole; one that is there stays as it is."""
        target = self._roots[place] / path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f".{target.name}.part")
            draft.write_bytes(data)
            draft.replace(target)
        return target

    def _put_history(self) -> None:
        for raw in self._emitter.history[1:]:
            self._put(raw["place"], raw["path"], content(raw))
        for place, files in bad_files().items():
            for path, data in files:
                self._put(place, path, data)
        for event in self._emitter.past[-self._kept :]:
            self._send(event.raw)

    async def _finish_first(self) -> None:
        """The first file is half written when the connectors come, and whole some seconds later."""
        raw = self._emitter.history[0]
        target, data = self._roots[raw["place"]] / raw["path"], content(raw)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.write_bytes(data[:-9])
            await asyncio.sleep(HALF_WRITTEN_S)
        target.write_bytes(data) if target.stat().st_size != len(data) else None

    async def run(self, ready: Callable[[], None]) -> None:
        await asyncio.to_thread(self._put_history)
        sftp, ftp = await self._serve_sftp(), await self._serve_ftp()
        ready()
        try:
            await asyncio.gather(self._emitter.run(), self._finish_first())
        finally:
            sftp.close()
            await ftp.close()

    async def _serve_sftp(self) -> Any:
        import asyncssh

        key = asyncssh.read_private_key(self._site.folder / "host-key.pem")
        root, password = str(self._roots[SFTP]).encode(), self._site.secret("sftp-password")

        class Users(asyncssh.SSHServer):
            def begin_auth(self, username: str) -> bool:
                return True

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, given: str) -> bool:
                return username == USERS[SFTP] and given == password

        return await asyncssh.listen(
            HOST,
            self._site.ports["sftp"],
            server_host_keys=[key],
            server_factory=Users,
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=root),
        )

    async def _serve_ftp(self) -> Any:
        import aioftp

        reads = aioftp.Permission("/", readable=True, writable=False)
        user = aioftp.User(
            USERS[FTP], self._site.secret("ftp-password"), base_path=self._roots[FTP], permissions=[reads]
        )
        server = aioftp.Server([user], ipv4_pasv_forced_response_address=HOST)
        await server.start(HOST, self._site.ports["ftp"])
        return server


def environment(site: Site) -> dict[str, str]:
    """Addresses and logins of both servers; the SFTP server's key is made at the first call."""
    import asyncssh

    path = site.folder / "host-key.pem"
    if not path.exists():
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(path)
        path.chmod(0o600)
    for place in USERS:
        (site.folder / place).mkdir(exist_ok=True)
    public = asyncssh.read_private_key(path).export_public_key().decode().strip()
    return {
        "IOC_SECRET_STATIONS_HOST": HOST,
        "IOC_SECRET_STATIONS_PORT": str(site.ports["sftp"]),
        "IOC_SECRET_STATIONS_USER": USERS[SFTP],
        "IOC_SECRET_STATIONS_PASSWORD": site.secret("sftp-password"),
        "IOC_SECRET_STATIONS_HOST_KEY": " ".join(public.split()[:2]),
        "IOC_SECRET_STATIONS_FTP_HOST": HOST,
        "IOC_SECRET_STATIONS_FTP_PORT": str(site.ports["ftp"]),
        "IOC_SECRET_STATIONS_FTP_USER": USERS[FTP],
        "IOC_SECRET_STATIONS_FTP_PASSWORD": site.secret("ftp-password"),
    }


def make(stage: Stage) -> Simulator:
    """The stations' servers."""
    return Stations(stage)


STATIONS = System(
    ID,
    {SFTP: "station_reading", FTP: "station_reading"},
    environment,
    make,
    expected,
    ports=("sftp", "ftp"),
)
