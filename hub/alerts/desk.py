"""What people do about alerts: give one to somebody, note, handle; silence what is known.

DeskError: the act is not possible; `slug` names the problem for the API.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from hub.alerts.alert import Act, ActKind, Alert
from hub.alerts.book import AlertBook
from hub.alerts.rule_files import AlertRules
from hub.alerts.silence import LONGEST, Silence
from hub.security.access import within

LONGEST_TEXT = 2_000
"""Characters of a note."""

log = structlog.get_logger("ioc.alerts")


class DeskError(Exception):
    """`slug`: unknown-alert, alert-handled, note-missing, assignee-missing, silence-window, unknown-silence."""

    def __init__(self, slug: str, **values: object) -> None:
        super().__init__(slug)
        self.slug = slug
        self.values = values


class AlertDesk:
    """`org` bounds every call to a unit and what is below it; None: all. Writing raises CompactedTopicError."""

    def __init__(self, book: AlertBook, rules: AlertRules, clock: Callable[[], datetime]) -> None:
        self.book = book
        self.rules = rules
        self.clock = clock

    def alerts(self, org: str | None = None) -> tuple[Alert, ...]:
        """Those that may be seen: first what is open, then what is assigned, then the rest; the newest first."""
        order = {"open": 0, "assigned": 1, "handled": 2}
        found = (one for one in self.book.all() if org is None or within(one.org, org))
        return tuple(sorted(found, key=lambda one: order[one.state]))

    def alert(self, alert: str, org: str | None = None) -> Alert:
        """DeskError if there is none, or it may not be seen."""
        found = self.book.get(alert)
        if found is None or (org is not None and not within(found.org, org)):
            raise DeskError("unknown-alert", id=alert[:80])
        return found

    async def assign(self, alert: str, to: str, by: str, note: str = "", org: str | None = None) -> Alert:
        """Give it to somebody; one that was handled may be taken up again."""
        if not to.strip():
            raise DeskError("assignee-missing")
        return await self._do(alert, "assigned", by, note, org, to.strip()[:200])

    async def note(self, alert: str, text: str, by: str, org: str | None = None) -> Alert:
        if not text.strip():
            raise DeskError("note-missing")
        return await self._do(alert, "noted", by, text, org)

    async def handle(self, alert: str, note: str, by: str, org: str | None = None) -> Alert:
        """Close it, with what was done about it."""
        if not note.strip():
            raise DeskError("note-missing")
        if self.alert(alert, org).state == "handled":
            raise DeskError("alert-handled", id=alert)
        return await self._do(alert, "handled", by, note, org)

    async def silence(
        self, end: datetime, reason: str, by: str, rule: str = "*", subject: str = "*", owner: str = "*"
    ) -> Silence:
        """Tell nobody of what matches, from now to `end`."""
        now = self.clock()
        if not now < end <= now + LONGEST:
            raise DeskError("silence-window", days=LONGEST // timedelta(days=1))
        if not reason.strip():
            raise DeskError("note-missing")
        made = Silence(uuid.uuid4().hex[:12], rule, subject, owner, now, end, by, reason.strip()[:LONGEST_TEXT])
        await self.book.silence(made)
        log.info("alerts_silenced", silence=made.id, rule=rule)
        return made

    async def end_silence(self, silence: str, by: str) -> Silence:
        """End it now; idempotent."""
        found = next((one for one in self.book.silences() if one.id == silence), None)
        if found is None:
            raise DeskError("unknown-silence", id=silence[:80])
        end = min(found.end, self.clock())
        ended = Silence(found.id, found.rule, found.subject, found.owner, found.start, end, found.by, found.reason)
        await self.book.silence(ended)
        log.info("alerts_silence_ended", silence=silence)
        return ended

    async def _do(self, alert: str, act: ActKind, by: str, text: str, org: str | None, to: str = "") -> Alert:
        self.alert(alert, org)
        await self.book.act(alert, Act(act, self.clock(), by, text.strip()[:LONGEST_TEXT], to))
        log.info("alert_act", alert=alert, act=act)
        return self.alert(alert, org)
