"""Where connectors may connect to: the allow-list, resolved once, private ranges closed."""

from __future__ import annotations

import asyncio
import time

import pytest

from connectors.errors import SourceUnavailableError
from connectors.hosts import HostRefusedError, Hosts

PUBLIC = "203.162.4.190"


def hosts(*allowed: str, found: tuple[str, ...] = (PUBLIC,)) -> Hosts:
    async def resolve(host: str, port: int) -> list[str]:
        if not found:
            raise OSError("no such host")
        return list(found)

    return Hosts(allowed, resolve)


@pytest.mark.parametrize(
    ("allowed", "host", "found", "may"),
    [
        ((), "portal.gov.vn", PUBLIC, True),
        ((), "portal.gov.vn", "10.1.2.3", False),
        ((), "portal.gov.vn", "127.0.0.1", False),
        ((), "portal.gov.vn", "169.254.169.254", False),
        ((), "portal.gov.vn", "::1", False),
        ((), "portal.gov.vn", "::ffff:10.0.0.1", False),
        ((), "portal.gov.vn", "fe80::1%eth0", False),
        ((), "portal.gov.vn", "224.0.0.1", False),
        (("*.tayninh.gov.vn",), "dvc.tayninh.gov.vn", PUBLIC, True),
        (("*.tayninh.gov.vn",), "DVC.TayNinh.gov.vn", PUBLIC, True),
        (("*.tayninh.gov.vn",), "evil.example", PUBLIC, False),
        (("*.tayninh.gov.vn",), "dvc.tayninh.gov.vn", "10.1.2.3", False),
        (("*.tayninh.gov.vn", "10.0.0.0/8"), "dvc.tayninh.gov.vn", "10.1.2.3", True),
        (("10.0.0.0/8",), "any.host", "10.1.2.3", True),
        (("10.0.0.0/8",), "any.host", PUBLIC, True),
        (("127.0.0.1",), "localhost", "127.0.0.1", True),
    ],
)
async def test_only_allowed_hosts_at_allowed_addresses_are_reached(
    allowed: tuple[str, ...], host: str, found: str, may: bool
) -> None:
    asked = hosts(*allowed, found=(found,)).address(host, 443)
    if may:
        assert await asked == found
    else:
        with pytest.raises(HostRefusedError, match="IOC_CONNECT__ALLOWED_HOSTS"):
            await asked


async def test_an_allowed_address_is_taken_among_others_and_pinned() -> None:
    answers = [["10.0.0.1", PUBLIC], ["10.0.0.1"]]

    async def resolve(host: str, port: int) -> list[str]:
        return answers.pop(0)

    pinned = Hosts((), resolve)
    assert await pinned.address("a.vn", 443) == PUBLIC
    assert await pinned.address("a.vn", 443) == PUBLIC
    assert answers == [["10.0.0.1"]]


async def test_an_unknown_name_may_be_known_later() -> None:
    with pytest.raises(SourceUnavailableError, match="DNS"):
        await hosts(found=()).address("a.vn", 443)


async def test_connectors_share_the_limit_of_a_host_and_the_strictest_holds() -> None:
    shared = hosts()
    limits = [shared.limit("a.vn", 1000), shared.limit("a.vn", 50), shared.limit("a.vn", None)]
    begun = time.monotonic()
    await asyncio.gather(*(limit.wait() for limit in limits for _ in range(4)))
    assert time.monotonic() - begun >= 11 / 50
    begun = time.monotonic()
    await shared.limit("b.vn", None).wait()
    assert time.monotonic() - begun < 0.1
