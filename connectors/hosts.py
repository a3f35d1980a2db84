"""Which hosts a connector may reach, and at which address: resolved once, checked, then pinned.

A manifest is written by a department; where this machine may connect to is decided by who runs it.
"""

from __future__ import annotations

import asyncio
import fnmatch
import ipaddress
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from connectors.errors import SourceRefusedError, SourceUnavailableError, Text

PIN_S = 60.0
"""How long an address is used before the name is looked up, and checked, again."""
RESOLVE_TIMEOUT_S = 10.0

SETTING = "IOC_CONNECT__ALLOWED_HOSTS"

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Addresses of a host; OSError if there are none."""


class HostRefusedError(SourceRefusedError):
    """The host is not on the allow-list, or its address is one that nobody may reach by default."""

    code = "host_refused"


async def _system_resolver(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


@dataclass(slots=True)
class RateLimit:
    """At most so many requests a second, evenly spaced, for all who share it."""

    interval_s: float = 0.0
    _next: float = 0.0

    async def wait(self) -> None:
        """Returns when the next request may go out; waits in the order of the calls."""
        now = time.monotonic()
        start = max(now, self._next)
        self._next = start + self.interval_s
        if start > now:
            await asyncio.sleep(start - now)


@dataclass(slots=True)
class Hosts:
    """The allow-list, the pinned addresses and the rate limits of one process.

    `allowed`: names (`portal.example.gov.vn`, `*.example.gov.vn`) and networks (`10.0.0.0/8`, `127.0.0.1`). With no
    name listed any name may be reached, at a public address. Private, loopback and link-local addresses are refused
    unless their network is listed: a listed name is no leave to be led inside by its DNS.
    """

    allowed: tuple[str, ...] = ()
    resolve: Resolve = _system_resolver
    _names: tuple[str, ...] = field(init=False)
    _networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = field(init=False)
    _pinned: dict[tuple[str, int], tuple[str, float]] = field(default_factory=dict, init=False)
    _limits: dict[str, RateLimit] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        names, networks = [], []
        for entry in self.allowed:
            try:
                networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                names.append(entry.lower())
        self._names, self._networks = tuple(names), tuple(networks)

    async def address(self, host: str, port: int) -> str:
        """The address to connect to, the same for PIN_S. Raises HostRefusedError, or SourceUnavailableError if the
        name is not known."""
        pinned = self._pinned.get((host, port))
        if pinned is not None and pinned[1] > time.monotonic():
            return pinned[0]
        try:
            async with asyncio.timeout(RESOLVE_TIMEOUT_S):
                found = await self.resolve(host, port)
        except (OSError, TimeoutError, UnicodeError) as error:
            raise SourceUnavailableError(
                Text(
                    f"Không tìm thấy máy chủ «{host}»; kiểm tra tên máy chủ và DNS",
                    f"The host “{host}” cannot be found; check its name and the DNS",
                )
            ) from error
        address = next((each for each in found if self._may(host, each)), None)
        if address is None:
            raise _refused(host, found)
        self._pinned[host, port] = (address, time.monotonic() + PIN_S)
        return address

    def limit(self, host: str, per_s: float | None) -> RateLimit:
        """The limit of a host, shared by all connectors that read it; the strictest one asked for holds."""
        limit = self._limits.setdefault(host, RateLimit())
        if per_s is not None:
            limit.interval_s = max(limit.interval_s, 1.0 / per_s)
        return limit

    def _may(self, host: str, text: str) -> bool:
        address = ipaddress.ip_address(text.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if any(address in network for network in self._networks):
            return True
        named = not self._names or any(fnmatch.fnmatchcase(host.lower(), name) for name in self._names)
        return named and address.is_global and not address.is_multicast


def _refused(host: str, found: list[str]) -> HostRefusedError:
    listed = ", ".join(sorted(set(found)))
    return HostRefusedError(
        Text(
            f"Máy chủ «{host}» ({listed}) không nằm trong danh sách được phép; "
            f"người vận hành thêm tên và mạng của nó vào {SETTING}",
            f"The host “{host}” ({listed}) is not on the allow-list; "
            f"the operator adds its name and its network to {SETTING}",
        )
    )
