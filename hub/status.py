"""The state of this machine's stack: its processes, and `/readyz` of the API."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from hub.config import Settings
from hub.processes import rss_bytes
from hub.state_dir import StateDir

TIMEOUT_S = 5.0
MIB = 1024 * 1024


def stack_status(settings: Settings) -> dict[str, Any]:
    """`running`, `ready`, `units` and `checks` (with their causes). Blocks for some seconds at most."""
    state = StateDir(settings.state_dir.absolute())
    running = state.supervisor() is not None
    snapshot = state.read_snapshot() if running else {}
    units = [{"unit": name, **unit, "rss_mib": _mib(unit["pid"])} for name, unit in snapshot.get("units", {}).items()]
    checks = readiness(settings.api_url)
    ready = bool(snapshot.get("ready")) and bool(checks) and all(check["ok"] for check in checks)
    return {"running": running, "ready": ready, "api": settings.api_url, "units": units, "checks": checks}


def readiness(api_url: str) -> list[dict[str, Any]]:
    """The checks of `/readyz?verbose`; one failed check if nobody answers."""
    try:
        with urllib.request.urlopen(f"{api_url}/readyz?verbose", timeout=TIMEOUT_S) as response:
            body = json.load(response)
    except urllib.error.HTTPError as error:
        body = json.load(error)
    except (urllib.error.URLError, OSError, ValueError) as error:
        return [{"check": "api", "ok": False, "cause": str(getattr(error, "reason", error))}]
    return [{"check": name, **check} for name, check in body.get("checks", {}).items()]


def _mib(pid: int | None) -> int | None:
    size = rss_bytes(pid) if pid else None
    return None if size is None else round(size / MIB)
