"""Change times of a REST feed, in the form the source writes them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo


class TimeForm:
    """Reads and writes times of one form: `iso`, `epoch_s`, `epoch_ms` or a strptime pattern in `zone`."""

    def __init__(self, form: str, zone: ZoneInfo) -> None:
        self._form = form
        self._zone = zone
        self._per_second = {"epoch_s": 1, "epoch_ms": 1000}.get(form)

    def read(self, value: Any) -> datetime | None:
        """The moment, tz-aware; None if it is no time of this form. An ISO time needs its offset."""
        try:
            if self._per_second is not None:
                return datetime.fromtimestamp(float(value) / self._per_second, UTC)
            if self._form == "iso":
                moment = datetime.fromisoformat(value)
                return moment if moment.tzinfo is not None else None
            return datetime.strptime(value, self._form).replace(tzinfo=self._zone)
        except (TypeError, ValueError, OverflowError, OSError):
            return None

    def write(self, moment: datetime) -> str:
        """As a request parameter."""
        if self._per_second is not None:
            return str(int(moment.timestamp() * self._per_second))
        if self._form == "iso":
            return moment.isoformat()
        return moment.astimezone(self._zone).strftime(self._form)
