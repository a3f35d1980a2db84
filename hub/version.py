"""The version of the product."""

from __future__ import annotations

from importlib import metadata

DISTRIBUTION = "ioc-integration-hub"


def version() -> str:
    """The installed version; `0+clone` where the package was never installed."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0+clone"
