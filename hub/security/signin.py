"""Browsers: one-time sign-in links and the sessions they open.

A session is a signed cookie; nothing is stored for it but the ids of those that were ended early. The cookie is to
be set HttpOnly and SameSite=Lax, and unsafe requests of other origins are refused by the API's gate.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hub.security.access import LETTERS, Principal
from hub.security.errors import KeyRequestError
from hub.security.keys import Clock, digest
from hub.security.locked_file import Entries, LockedFile

LINK_FILE = "signin.json"
CLOSED_FILE = "sessions.json"
LINK_LIFE = timedelta(minutes=30)
"""A demo's first start takes minutes; a link lying in a terminal should not work tomorrow."""
SESSION_LIFE = timedelta(hours=12)
"""One shift of an operations centre."""
TOKEN_BYTES = 32
SESSION_ID_BYTES = 12


class SigninLinks:
    """One-time tokens, stored as hashes. Shared between processes by their file."""

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        self._file = LockedFile(state_dir / "secrets" / LINK_FILE)
        self._clock = clock

    def create(self, role: str, org: str | None = None, valid_for: timedelta = LINK_LIFE) -> str:
        """A new token; whoever opens the link first is signed in with this role."""
        if role not in LETTERS:
            raise KeyRequestError(f"Không có vai trò {role!r}", f"no role {role!r}")
        token = secrets.token_urlsafe(TOKEN_BYTES)
        now = self._clock()
        entry = {"role": role, "org": org, "expires_at": (now + valid_for).isoformat()}

        def add(entries: Entries) -> None:
            _drop_expired(entries, now)
            entries[digest(token)] = entry

        self._file.update(add)
        return token

    def redeem(self, token: str) -> Principal | None:
        """Use the token up: of several at once, one gets in. None if it is unknown, used or expired."""
        now = self._clock()
        wanted = digest(token)
        if wanted not in self._file.read():
            return None  # no write lock for guesses; what is looked up is a hash, so that timing tells nothing

        def take(entries: Entries) -> Principal | None:
            _drop_expired(entries, now)
            entry = entries.pop(wanted, None)
            return None if entry is None else Principal(entry["role"], entry["org"], f"link:{wanted[:10]}")

        return self._file.update(take)


class Sessions:
    """Makes and reads session cookies. `key` signs them: whoever has it can be anybody."""

    def __init__(self, key: bytes, state_dir: Path, clock: Clock, life: timedelta = SESSION_LIFE) -> None:
        self._key = key
        self._closed = LockedFile(state_dir / "secrets" / CLOSED_FILE)
        self._clock = clock
        self._life = life

    def open(self, principal: Principal) -> str:
        """A cookie value for this principal."""
        claims = {
            "id": secrets.token_hex(SESSION_ID_BYTES),
            "role": principal.role,
            "org": principal.org,
            "by": principal.credential,
            "exp": int((self._clock() + self._life).timestamp()),
        }
        body = _encode(json.dumps(claims, separators=(",", ":")).encode())
        return f"{body}.{self._signature(body)}"

    def read(self, cookie: str) -> Principal | None:
        """Who it is, None if the cookie is forged, expired or closed."""
        claims = self._claims(cookie)
        if claims is None or claims["id"] in self._closed.read():
            return None
        return Principal(claims["role"], claims["org"], claims["by"])

    def close(self, cookie: str) -> None:
        """End a session before its time, in every process. Idempotent."""
        claims = self._claims(cookie)
        if claims is None:
            return
        expires = datetime.fromtimestamp(claims["exp"], UTC).isoformat()
        now = self._clock()

        def add(entries: Entries) -> None:
            _drop_expired(entries, now)
            entries[claims["id"]] = {"expires_at": expires}

        self._closed.update(add)

    def _claims(self, cookie: str) -> dict[str, Any] | None:
        body, _, signature = cookie.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(body).encode()):
            return None
        claims: dict[str, Any] = json.loads(_decode(body))
        return claims if self._clock().timestamp() < claims["exp"] else None

    def _signature(self, body: str) -> str:
        return _encode(hmac.new(self._key, b"ioc session 1." + body.encode(), hashlib.sha256).digest())


def _drop_expired(entries: Entries, now: datetime) -> None:
    for name in [name for name, entry in entries.items() if datetime.fromisoformat(entry["expires_at"]) <= now]:
        del entries[name]


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:  # signed by us, so it cannot happen but by a leak of the key
        raise ValueError("a signed session is not base64") from error
