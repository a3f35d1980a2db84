"""Who may read the portal's feed: a client's credentials and the tokens issued for them."""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass

from deploy.demo.ledger import DemoError


@dataclass(frozen=True, slots=True)
class Credentials:
    client_id: str
    client_secret: str

    @classmethod
    def from_environment(cls) -> Credentials:
        names = ("IOC_SECRET_PORTAL_CLIENT_ID", "IOC_SECRET_PORTAL_CLIENT_SECRET")
        missing = [name for name in names if not os.environ.get(name)]
        if missing:
            raise DemoError(f"the environment variable {missing[0]} is missing: the portal needs its clients' secret")
        return cls(*(os.environ[name] for name in names))

    def match(self, client_id: str, client_secret: str) -> bool:
        same_id = secrets.compare_digest(client_id.encode(), self.client_id.encode())
        return same_id and secrets.compare_digest(client_secret.encode(), self.client_secret.encode())


class Tokens:
    """Bearer tokens in memory: a restart forgets them, as a time-out does."""

    def __init__(self, lifetime_s: int) -> None:
        self.lifetime_s = lifetime_s
        self._expires: dict[str, float] = {}

    def issue(self) -> str:
        now = time.monotonic()
        self._expires = {token: at for token, at in self._expires.items() if at > now}
        token = secrets.token_urlsafe(24)
        self._expires[token] = now + self.lifetime_s
        return token

    def valid(self, header: str) -> bool:
        scheme, _, token = header.partition(" ")
        return scheme.lower() == "bearer" and self._expires.get(token, 0.0) > time.monotonic()

    def withdraw_all(self) -> None:
        self._expires.clear()
