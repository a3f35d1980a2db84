"""Settings: one typed tree, parsed once.

Order: flags > `IOC_*` environment (`__` nests) > `.env` > `./ioc.toml` > defaults; a value may come from a file by
`IOC_<KEY>_FILE`. Unknown keys fail with their path and the nearest right one.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, ValidationError, model_validator

from hub.config_sections import AlertsSettings, Port, Section, TracesSettings
from hub.config_sources import (
    ConfigError,
    Layer,
    Value,
    dotenv_variables,
    environment_layer,
    flags_layer,
    nested,
    toml_layer,
)

SECRETS = ("password", "token")
"""Last parts of the keys whose values are shown to nobody."""

TOML = "ioc.toml"
DOTENV = ".env"


class ApiSettings(Section):
    host: str = "127.0.0.1"
    port: Port = 8080
    requests_per_s: Annotated[float, Field(gt=0)] = 100.0
    """Requests a second that one key may make; twice as many in a burst."""
    url: str | None = None
    """Address of the API for the command line, if it runs elsewhere."""


class RegistrySettings(Section):
    host: str = "127.0.0.1"
    port: Port = 8081
    url: str | None = None
    """A Confluent-compatible registry to use instead of the hub's own."""
    user: str | None = None
    """Name for basic authentication at the registry of `url`."""
    password: SecretStr | None = None
    """Password for `user`."""
    token: SecretStr | None = None
    """Bearer token for the registry of `url`, instead of user and password."""
    ca: Path | None = None
    """PEM file of the authority that signed the registry's certificate; unset: those of the system."""
    tls_certificate: Path | None = None
    """PEM file of the hub's registry's own certificate; set, with `tls_key`, it is served by HTTPS only."""
    tls_key: Path | None = None
    advertised_url: str | None = None
    """Address at which the other registries of the cluster reach this one; unset: host and port."""
    session_timeout_s: Annotated[float, Field(ge=1, le=300)] = 6.0
    """A registry that Kafka has not heard of for so long loses the turn to write."""

    @model_validator(mode="after")
    def _one_credential(self) -> RegistrySettings:
        if self.token is not None and self.user is not None:
            raise ValueError("registry.token and registry.user exclude each other: keep one of them")
        if self.password is not None and self.user is None:
            raise ValueError("registry.password needs registry.user")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("registry.tls_certificate and registry.tls_key go together")
        if self.url is None and (self.token or self.user):
            raise ValueError("registry.user and registry.token are for the registry of registry.url, which is not set")
        return self


def _listed(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class ConnectSettings(Section):
    host: str = "127.0.0.1"
    port: Port = 8083
    allowed_hosts: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """Where connectors may connect to: names (`*.example.gov.vn`) and networks (`10.0.0.0/8`), comma-separated.
    Empty: any name, at a public address."""
    folders: Annotated[tuple[Path, ...], BeforeValidator(_listed)] = ()
    """Directories of this machine that file connectors may read, beside `<state_dir>/inbox`; comma-separated."""
    session_s: Annotated[float, Field(ge=1, le=300)] = 6.0
    """After so many seconds without a word from a worker its connectors go to the others."""
    url: str | None = None
    """Address of a connect worker for the command line, if it runs elsewhere."""


class StreamSettings(Section):
    host: str = "127.0.0.1"
    port: Port = 8084
    schema_wait_s: Annotated[float, Field(ge=0)] = 600.0
    """How long a batch waits for a schema that the registry does not give, seconds; then its records of that schema
    go to the quarantine. Records of schemas read before never wait."""


class MonitorSettings(Section):
    host: str = "127.0.0.1"
    port: Port = 8085
    canary_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """How often a record of the hub's own goes the whole way, seconds; 0: never. All roles need the same."""


class WarehouseSettings(Section):
    host: str = "127.0.0.1"
    port: Port = 8123


class KafkaSettings(Section):
    port: Port = 9092
    bootstrap_servers: str | None = None
    """An existing cluster, `host:port[,host:port]`; unset: the local broker on `port`."""
    partitions: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Partitions of an entity's topic; unset: 4 with the local broker, 12 with a cluster."""
    replication_factor: Annotated[int, Field(ge=1)] = 1
    heap_mb: Annotated[int, Field(ge=128)] = 384
    """Heap of the local broker, MiB."""
    libs: Path | None = None
    """Directory of Kafka's jars; unset: `deploy/kafka/libs` of a clone, else the user's cache."""

    @property
    def topic_partitions(self) -> int:
        """Each partition's batch costs the warehouse an insert of its own, some 30 ms whatever its size: measured on
        two cores at 1,000 events/s, 12 partitions show an event after 1.8 s, 4 after 0.6 s (medians)."""
        if self.partitions is not None:
            return self.partitions
        return 4 if self.bootstrap_servers is None else 12


class ClickhouseSettings(Section):
    url: str | None = None
    """A ClickHouse server, `http://user:password@host:port/database`; unset: the embedded warehouse."""


class Settings(Section):
    """The whole configuration of every role; `load` reads it, the constructor looks at nothing but its arguments."""

    state_dir: Path = Path(".ioc")
    timezone: str = "Asia/Ho_Chi_Minh"
    lang: Literal["vi", "en"] = "vi"
    calendars_dir: Path | None = None
    codes_dir: Path | None = None
    contracts_dir: Path | None = None
    connectors_dir: Path | None = None
    kpis_dir: Path | None = None
    themes_dir: Path | None = None
    api: ApiSettings = ApiSettings()
    registry: RegistrySettings = RegistrySettings()
    connect: ConnectSettings = ConnectSettings()
    stream: StreamSettings = StreamSettings()
    monitor: MonitorSettings = MonitorSettings()
    alerts: AlertsSettings = AlertsSettings()
    traces: TracesSettings = TracesSettings()
    warehouse: WarehouseSettings = WarehouseSettings()
    kafka: KafkaSettings = KafkaSettings()
    clickhouse: ClickhouseSettings = ClickhouseSettings()

    @property
    def bootstrap(self) -> str:
        return self.kafka.bootstrap_servers or f"127.0.0.1:{self.kafka.port}"

    @property
    def registry_url(self) -> str:
        """Address of the registry that the roles of this machine use."""
        scheme = "http" if self.registry.tls_certificate is None else "https"
        return self.registry.url or f"{scheme}://{_reachable(self.registry.host)}:{self.registry.port}"

    @property
    def registry_advertised_url(self) -> str:
        """Address at which other instances reach the registry of this process."""
        if self.registry.advertised_url is not None:
            return self.registry.advertised_url.rstrip("/")
        scheme = "http" if self.registry.tls_certificate is None else "https"
        here = socket.getfqdn() if _is_wildcard(self.registry.host) else self.registry.host
        return f"{scheme}://{here}:{self.registry.port}"

    @property
    def clickhouse_url(self) -> str:
        """Address of the warehouse; the embedded one's credentials are added by `hub.wiring`."""
        return self.clickhouse.url or f"http://{_reachable(self.warehouse.host)}:{self.warehouse.port}"

    @property
    def connect_url(self) -> str:
        return self.connect.url or f"http://{_reachable(self.connect.host)}:{self.connect.port}"

    @property
    def api_url(self) -> str:
        return self.api.url or f"http://{_reachable(self.api.host)}:{self.api.port}"


def _is_wildcard(host: str) -> bool:
    return host in ("0.0.0.0", "::", "")


def _reachable(host: str) -> str:
    return "127.0.0.1" if _is_wildcard(host) else host


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each that is not a default came from (by dotted key)."""

    settings: Settings
    origins: dict[str, str]


def known_keys(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Dotted keys of all settings."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from known_keys(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def read_layers(
    flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None, directory: Path | None = None
) -> Layer:
    """All given settings, the strongest layer winning key by key. Raises `ConfigError`."""
    keys = tuple(known_keys())
    here = directory or Path()
    merged: Layer = {}
    for layer in (
        toml_layer(here / TOML, keys),
        environment_layer(dotenv_variables(here / DOTENV), DOTENV, keys),
        environment_layer(os.environ if environ is None else environ, "environment", keys),
        flags_layer(flags or {}, keys),
    ):
        merged.update(layer)
    return merged


def load(
    flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None, directory: Path | None = None
) -> Loaded:
    """Parse the configuration; raises `ConfigError` naming every wrong key, its origin and the nearest right one."""
    layer = read_layers(flags, environ, directory)
    try:
        settings = Settings.model_validate(nested(layer))
    except ValidationError as error:
        raise ConfigError("\n".join(_problem(item, layer) for item in error.errors())) from error
    return Loaded(settings, {key: value.origin for key, value in layer.items()})


def _problem(error: Mapping[str, Any], layer: Mapping[str, Value]) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if key not in layer:  # a rule about several: its input holds all of the section, passwords too
        return f"wrong setting {key}: {error['msg']}"
    given = "***" if key.rpartition(".")[2] in SECRETS else repr(error["input"])
    return f"wrong setting {key}: {error['msg']} (got {given}, from {layer[key].origin})"


def redacted(key: str, value: Any) -> str:
    """`value` for showing to people: passwords in addresses are masked."""
    if value is None:
        return ""
    text = str(value)
    if "://" in text:
        parts = urlsplit(text)
        if parts.password is not None:
            host = parts.netloc.rpartition("@")[2]
            return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{host}"))
    return text


def flat_values(settings: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of every setting."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from flat_values(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
