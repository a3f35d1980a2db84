"""What every command starts from: the parsed configuration and the state directory."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hub.cli.output import Exit, leave
from hub.language import t

if TYPE_CHECKING:
    from hub.config import Loaded, Settings
    from hub.state_dir import StateDir


@dataclass(slots=True)
class Invocation:
    """Global options of this run, as dotted settings."""

    flags: dict[str, str] = field(default_factory=dict)


INVOCATION = Invocation()


def add_flag(assignment: str) -> None:
    """Take one `--set key=value`; ends the process if it has no `=`."""
    key, separator, value = assignment.partition("=")
    if not separator:
        leave(
            Exit.USAGE, t(f"--set cần khóa=giá trị, nhận được {assignment!r}", f"--set needs key=value: {assignment!r}")
        )
    INVOCATION.flags[key.strip()] = value


def loaded() -> Loaded:
    """The configuration; ends the process with exit code 2 where it is wrong."""
    from hub.config import load
    from hub.config_sources import ConfigError

    try:
        return load(INVOCATION.flags)
    except ConfigError as error:
        leave(Exit.USAGE, t(f"Cấu hình sai:\n{error}", f"The configuration is wrong:\n{error}"))


def settings() -> Settings:
    """As `loaded`, without the origins. Secrets of connectors in `.env` become visible to this process."""
    from hub.config import DOTENV
    from hub.config_sources import dotenv_variables, is_other

    found = loaded().settings
    for name, value in dotenv_variables(Path(DOTENV)).items():
        if value is not None and is_other(name):
            os.environ.setdefault(name, value)
    return found


def state_dir() -> StateDir:
    from hub.state_dir import StateDir

    return StateDir(settings().state_dir.absolute())
