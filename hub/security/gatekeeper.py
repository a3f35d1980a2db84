"""Keys, links and sessions of one state directory behind one face, for the API, the pages and the registry."""

from __future__ import annotations

import hmac
from pathlib import Path

from hub.local_secrets import local_secrets
from hub.security.access import SERVICE, Principal
from hub.security.keys import Clock, KeyStore
from hub.security.signin import Sessions, SigninLinks

SESSION_KEY = "session.key"
SERVICE_KEY = "service.key"


class Gatekeeper:
    """Answers who holds a credential. Quick (memory, a small file when it changed) and thread-safe."""

    def __init__(self, keys: KeyStore, links: SigninLinks, sessions: Sessions, service_key: str) -> None:
        self._keys = keys
        self._links = links
        self._sessions = sessions
        self._service_key = service_key.encode()

    def by_key(self, key: str) -> Principal | None:
        """The holder of a live API key."""
        return self._keys.authenticate(key)

    def by_service_key(self, key: str) -> Principal | None:
        """The hub's own roles by the stack's service key, else the holder of an API key."""
        if hmac.compare_digest(key.encode(), self._service_key):
            return Principal(SERVICE, None, SERVICE)
        return self._keys.authenticate(key)

    def by_session(self, cookie: str) -> Principal | None:
        """The holder of a live session; one that was opened with a key ends with the key."""
        principal = self._sessions.read(cookie)
        if principal is None or principal.credential.startswith("link:"):
            return principal
        return self._keys.by_id(principal.credential)

    def redeem_link(self, token: str) -> str | None:
        """Use up a one-time link; the cookie of a new session, or None."""
        principal = self._links.redeem(token)
        return None if principal is None else self._sessions.open(principal)

    def open_session(self, key: str) -> str | None:
        """The cookie of a new session for the holder of a key, or None."""
        principal = self._keys.authenticate(key)
        return None if principal is None else self._sessions.open(principal)

    def close_session(self, cookie: str) -> None:
        """End a session. Idempotent."""
        self._sessions.close(cookie)


class RolesToo(Gatekeeper):
    """Lets the hub's own roles in by the stack's service key, wherever a key is taken."""

    def by_key(self, key: str) -> Principal | None:
        return self.by_service_key(key)


def build_gatekeeper(state_dir: Path, clock: Clock, kind: type[Gatekeeper] = Gatekeeper) -> Gatekeeper:
    """The gatekeeper of a state directory; makes the session's and the service's secrets at the first call."""
    secrets = local_secrets(state_dir)
    return kind(
        KeyStore(state_dir, clock),
        SigninLinks(state_dir, clock),
        Sessions(bytes.fromhex(secrets.ensure(SESSION_KEY)), state_dir, clock),
        secrets.ensure(SERVICE_KEY),
    )
