"""Settings: one typed tree, parsed once.

Order: flags > `IOC_*` environment (`__` nests) > `.env` > `./ioc.toml` > defaults. Unknown keys fail with
their path and the nearest right one.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ApiSettings(_Section):
    host: str = "127.0.0.1"
    port: int = 8080


class RegistrySettings(_Section):
    port: int = 8081
    url: str | None = None
    """A Confluent-compatible registry to use instead of the hub's own."""


class ConnectSettings(_Section):
    port: int = 8083


class WarehouseSettings(_Section):
    port: int = 8123


class KafkaSettings(_Section):
    port: int = 9092
    bootstrap_servers: str | None = None
    """An existing cluster, `host:port[,host:port]`; unset: the local broker on `port`."""
    partitions: int = 12
    replication_factor: int = 1
    heap_mb: int = 512


class ClickhouseSettings(_Section):
    url: str | None = None
    """A ClickHouse server, `http://user:password@host:port/database`; unset: the embedded warehouse."""


class Settings(BaseSettings):
    """The whole configuration of every role."""

    model_config = SettingsConfigDict(env_prefix="IOC_", env_nested_delimiter="__", extra="forbid", frozen=True)

    state_dir: Path = Path(".ioc")
    timezone: str = "Asia/Ho_Chi_Minh"
    lang: str = "vi"
    codes_dir: Path | None = None
    connectors_dir: Path | None = None
    api: ApiSettings = Field(default_factory=ApiSettings)
    registry: RegistrySettings = Field(default_factory=RegistrySettings)
    connect: ConnectSettings = Field(default_factory=ConnectSettings)
    warehouse: WarehouseSettings = Field(default_factory=WarehouseSettings)
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    clickhouse: ClickhouseSettings = Field(default_factory=ClickhouseSettings)

    @property
    def bootstrap(self) -> str:
        return self.kafka.bootstrap_servers or f"127.0.0.1:{self.kafka.port}"

    @property
    def registry_url(self) -> str:
        return self.registry.url or f"http://127.0.0.1:{self.registry.port}"

    @property
    def clickhouse_url(self) -> str:
        return self.clickhouse.url or f"http://127.0.0.1:{self.warehouse.port}"
