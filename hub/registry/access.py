"""Who may do what with which subject. Pure, default deny.

The role says what may be done at all (`hub.security.access`); a department's key is further bound to its own subjects:
those of the entities that connectors of its unit, or of units below it, write. If all connectors of an entity are the
department's, it may also register versions, within the subject's compatibility; if others write the entity too, the
contract is shared and it may only read. Deleting, levels and modes are the administrator's. What a department may not
read is not listed for it, and its ids are unknown to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from hub.registry import faults
from hub.registry.exchange import Ask, Route, Sees, sees_all
from hub.security.access import Permission, Principal, within

BOUND_ROLE = "department"
BY_SUBJECT = frozenset({"subjects", "compatibility", "config", "mode"})
"""First segments of the paths whose first variable segment is a subject."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """The units whose connectors write a subject's entity, by subject."""

    units: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Ownership:
        """From (subject, unit) of every connector."""
        units: dict[str, frozenset[str]] = {}
        for subject, unit in pairs:
            units[subject] = units.get(subject, frozenset()) | {unit}
        return cls(units)

    def reads(self, unit: str, subject: str) -> bool:
        """Whether a connector of the unit, or below it, writes the subject's entity."""
        return any(within(owner, unit) for owner in self.units.get(subject, ()))

    def writes(self, unit: str, subject: str) -> bool:
        """Whether every connector that writes it is the unit's, or below it."""
        owners = self.units.get(subject, frozenset())
        return bool(owners) and all(within(owner, unit) for owner in owners)


NOBODY_OWNS = Ownership({})

REMEMBERED_S = 0.5
"""A key that is revoked or expires may be used for so long after."""
MOST_REMEMBERED = 1_000

PrincipalOf = Callable[[str], Principal | None]
"""Who holds a key, None if nobody does."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets requests pass. `principal_of` None lets everybody do everything: for tests only.

    `owned`: who owns what now, None while that is not known.
    """

    principal_of: PrincipalOf | None
    owned: Callable[[], Ownership | None] = lambda: NOBODY_OWNS
    _remembered: dict[str, tuple[Principal, float]] = field(default_factory=dict, repr=False)

    def holder(self, credential: str | None) -> Principal | None:
        """Who asks; remembered for `REMEMBERED_S`, so that a busy key is not looked up for each request."""
        if credential is None or self.principal_of is None:
            return None
        now = time.monotonic()
        known = self._remembered.get(credential)
        if known is not None and now < known[1]:
            return known[0]
        principal = self.principal_of(credential)
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        if principal is not None:
            self._remembered[credential] = principal, now + REMEMBERED_S
        return principal

    def reads_all(self, credential: str | None) -> bool:
        """Whether the caller may read whatever there is; False also for strangers."""
        if self.principal_of is None:
            return True
        principal = self.holder(credential)
        return principal is not None and principal.role != BOUND_ROLE and principal.may(Permission.REGISTRY_READ)

    def let_in(self, route: Route, segments: tuple[str, ...], credential: str | None) -> Sees:
        """Which subjects the caller may see. Raises Fault 401 or 403, or 503 while nobody knows."""
        if self.principal_of is None:
            return sees_all
        principal = self.holder(credential)
        if principal is None:
            raise faults.unauthorized()
        if not principal.may(route.permission):
            raise faults.forbidden()
        if principal.role != BOUND_ROLE:
            return sees_all
        return self._bound(principal.org, route, segments)

    def _bound(self, unit: str | None, route: Route, segments: tuple[str, ...]) -> Sees:
        if not unit:
            raise faults.forbidden()
        owned = self.owned()
        if owned is None:
            raise faults.log_away("the departments' connectors are not read yet")
        if _is_by_subject(route):
            rule = owned.writes if route.permission is Permission.REGISTRY_WRITE else owned.reads
            if not rule(unit, segments[0]):
                raise faults.not_your_subject(segments[0], unit)
        return lambda subject: owned.reads(unit, subject)


def check_references(ask: Ask) -> None:
    """A schema may refer to what its sender may read. Raises Fault."""
    references = ask.body.get("references")
    if ask.sees is sees_all or not isinstance(references, list):
        return
    for item in references:
        subject = item.get("subject") if isinstance(item, dict) else None
        if isinstance(subject, str) and not ask.sees(subject):
            raise faults.forbidden()


def _is_by_subject(route: Route) -> bool:
    return "*" in route.pattern and route.pattern.strip("/").partition("/")[0] in BY_SUBJECT
