"""Logs of the roles: structlog on stderr, JSON where nobody looks, colours on a terminal."""

from __future__ import annotations

import logging
import sys
from typing import Any, cast

_modules = cast(dict[str, Any], sys.modules)
_modules.setdefault("rich", None)  # structlog would load all of it, for tracebacks that no role draws: 0.2 s of a start
import structlog  # noqa: E402

if _modules["rich"] is None:
    del _modules["rich"]

NOISY = (
    "aiokafka",
    "asyncio",
    "faust",
    "httpcore",
    "httpx2",
    "kafka",
    "mode",
    "streams.transport",
    "urllib3",
    "uvicorn.access",
    "uvicorn.error",
)


def configure(role: str) -> None:
    """Set up the process's logging once, at its start."""
    on_terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    structlog.contextvars.bind_contextvars(role=role)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # It warns of each limit that a reader's question carries.
    logging.getLogger("clickhouse_connect").setLevel(logging.ERROR)
