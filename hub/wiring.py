"""The composition root: builds the parts of every role from the settings."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from hub.config import Settings
from hub.local_secrets import local_secrets

WRITER = "ioc"
READER = "ioc_read"


def warehouse_app(settings: Settings) -> Any:
    """The embedded warehouse, with a password for the one who writes and one for those who read."""
    from streams.warehouse.server import Credential, create_app

    secrets = local_secrets(settings.state_dir)
    return create_app(
        settings.state_dir.absolute() / "warehouse",
        {
            WRITER: Credential(secrets.ensure("warehouse-writer.key"), read_only=False),
            READER: Credential(secrets.ensure("warehouse-reader.key"), read_only=True),
        },
    )


def warehouse_url(settings: Settings, *, read_only: bool) -> str:
    """Address of the warehouse with its credentials; a given server's address is used as it is."""
    if settings.clickhouse.url is not None:
        return settings.clickhouse.url
    user, name = (READER, "warehouse-reader.key") if read_only else (WRITER, "warehouse-writer.key")
    password = local_secrets(settings.state_dir).ensure(name)
    parts = urlsplit(settings.clickhouse_url)
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password)}@{parts.netloc}"))
