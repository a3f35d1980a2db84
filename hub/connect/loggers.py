"""`/admin/loggers`: the levels of this process's logs, for a look closer without a restart."""

from __future__ import annotations

import logging
from typing import Any

from connectors.clock import now_ms
from connectors.errors import Text
from hub.connect import faults
from hub.connect.exchange import Answer, Ask, Route
from hub.security.access import Permission

LEVELS = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40, "FATAL": 50, "OFF": 100}
_NAMES = {number: name for name, number in LEVELS.items()}


class LoggerEndpoints:
    """Levels hold until the process ends. Only the IOC's people may set them."""

    def __init__(self) -> None:
        self._modified: dict[str, int] = {}

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/admin/loggers", Permission.CONNECTOR_APPROVE, self.all),
            Route("GET", "/admin/loggers/*", Permission.CONNECTOR_APPROVE, self.show),
            Route("PUT", "/admin/loggers/*", Permission.CONNECTOR_APPROVE, self.set),
        ]

    async def all(self, ask: Ask) -> Answer:
        return Answer(body={name: self._shown(name) for name in sorted(_known())})

    async def show(self, ask: Ask) -> Answer:
        name = ask.segments[0]
        if name not in _known():
            raise faults.Fault(404, Text(f"Không có nhật ký {name}", f"Logger {name} not found."))
        return Answer(body=self._shown(name))

    async def set(self, ask: Ask) -> Answer:
        """A logger and those below it; the names that were set."""
        name, level = ask.segments[0], ask.object().get("level")
        if level is None:
            raise faults.bad_request("Thiếu «level»", "Desired 'level' parameter was not specified in request.")
        number = LEVELS.get(str(level).upper())
        if number is None:
            known = ", ".join(LEVELS)
            raise faults.Fault(
                404, Text(f"Mức {level} không có; các mức: {known}", f"invalid log level '{level}'; there are: {known}")
            )
        names = [known for known in sorted(_known()) if known == name or known.startswith(f"{name}.")] or [name]
        for item in names:
            _logger(item).setLevel(number)
            self._modified[item] = now_ms()
        if (ask.query.get("scope") or ("",))[0].lower() == "cluster":
            return Answer(204)
        return Answer(body=names)

    def _shown(self, name: str) -> dict[str, Any]:
        level = _logger(name).getEffectiveLevel()
        return {"level": _NAMES.get(level, str(level)), "last_modified": self._modified.get(name)}


def _known() -> set[str]:
    manager = logging.Logger.manager
    return {"root", *(name for name, item in manager.loggerDict.items() if isinstance(item, logging.Logger))}


def _logger(name: str) -> logging.Logger:
    return logging.getLogger(None if name == "root" else name)
