"""Parts of the settings: what all sections have, and the section of alerts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

Port = Annotated[int, Field(ge=1, le=65535)]


class Section(BaseModel):
    """Frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SmtpSettings(Section):
    host: str | None = None
    """Where mail of alerts is handed in; unset: none is sent."""
    port: Port = 25
    sender: str = "ioc@localhost"
    """Address that alerts come from."""
    tls: bool = False
    """Whether the server is talked to by STARTTLS."""
    user: str | None = None
    password: SecretStr | None = None


class TracesSettings(Section):
    endpoint: str | None = None
    """Base address of an OTLP/HTTP receiver for traces of batches; unset: none are made. Needs the extra `traces`."""


class AlertsSettings(Section):
    dir: Path | None = None
    """Alert rules and channels of this site, `*.yaml`; a rule of the same id replaces the package's."""
    desk_url: str | None = None
    """Address of the pages as people reach it, for links in messages; unset: the API's."""
    smtp: SmtpSettings = SmtpSettings()
