"""Roles and what they may do: pure, default deny."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Permission(Enum):
    """One kind of act. What no role is given, nobody may do."""

    KPI_READ = "kpi.read"
    CONNECTOR_READ = "connector.read"
    CONNECTOR_OPERATE = "connector.operate"
    CONNECTOR_WRITE = "connector.write"
    CONNECTOR_APPROVE = "connector.approve"
    QUARANTINE_READ = "quarantine.read"
    CATALOGUE_READ = "catalogue.read"
    REGISTRY_READ = "registry.read"
    REGISTRY_WRITE = "registry.write"
    REGISTRY_ADMIN = "registry.admin"
    SQL_READ = "sql.read"
    KEY_MANAGE = "key.manage"
    CODES_WRITE = "codes.write"
    ALERT_READ = "alert.read"
    CANARY_READ = "canary.read"
    ALERT_HANDLE = "alert.handle"
    ALERT_SILENCE = "alert.silence"


READING = frozenset(
    {
        Permission.KPI_READ,
        Permission.CONNECTOR_READ,
        Permission.QUARANTINE_READ,
        Permission.CATALOGUE_READ,
        Permission.REGISTRY_READ,
        Permission.ALERT_READ,
        Permission.ALERT_HANDLE,
    }
)

SERVICE = "service"
"""Programs: the hub's own roles among themselves, another hub, Kafka clients. No figures, the registry only."""

PERMISSIONS: dict[str, frozenset[Permission]] = {
    "admin": frozenset(Permission),
    "operator": READING
    | {Permission.SQL_READ, Permission.CONNECTOR_OPERATE, Permission.CONNECTOR_APPROVE, Permission.ALERT_SILENCE},
    "department": READING | {Permission.CONNECTOR_OPERATE, Permission.CONNECTOR_WRITE, Permission.REGISTRY_WRITE},
    SERVICE: frozenset({Permission.REGISTRY_READ, Permission.REGISTRY_WRITE, Permission.CANARY_READ}),
}
"""What a department may do is further bound to its own unit: the rows it reads, the connectors it touches, the
registry's subjects. It registers its connectors; the IOC (operator, administrator) approves them."""

EVERYWHERE = frozenset({"admin", "operator"})
"""Roles that see the whole province."""

LETTERS = {"admin": "a", "operator": "o", "department": "d", SERVICE: "s"}
"""Roles that keys are made for, and the letter in them."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `org` is the unit a department is bound to; `credential` names the key or link, never shows it."""

    role: str
    org: str | None = None
    credential: str = ""

    def may(self, permission: Permission) -> bool:
        """Whether the role has the permission; unknown roles have none."""
        return permission in PERMISSIONS.get(self.role, frozenset())


def within(org: str, scope: str) -> bool:
    """Whether a unit is `scope` or below it: `H53.14.2` is within `H53.14`."""
    return org == scope or org.startswith(f"{scope}.")
