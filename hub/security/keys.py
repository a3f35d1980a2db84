"""API keys: made once, shown once, stored as a hash.

A key has 238 random bits, so that its SHA-256 cannot be searched; a slow password hash would add nothing but load
on every request.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hub.security.access import LETTERS, Principal
from hub.security.errors import KeyRequestError
from hub.security.locked_file import Entries, LockedFile

KEY_FILE = "keys.json"
RANDOM_CHARACTERS = 40
ID_BYTES = 5
_ALPHABET = string.ascii_letters + string.digits

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What is known of a key; never the key. Times are UTC."""

    id: str
    role: str
    org: str | None
    note: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; its text is nowhere else."""

    text: str
    info: KeyInfo

    def __repr__(self) -> str:
        return f"NewKey(id={self.info.id!r})"


def digest(secret: str) -> str:
    """The stored form of a secret of high entropy."""
    return hashlib.sha256(secret.encode()).hexdigest()


class KeyStore:
    """The keys of one state directory. Thread-safe; shared with other processes by its file."""

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        self._file = LockedFile(state_dir / KEY_FILE)
        self._clock = clock

    def create(
        self, role: str, org: str | None = None, *, note: str = "", valid_for: timedelta | None = None
    ) -> NewKey:
        """Make a key and store its hash; the text can never be shown again. Raises KeyRequestError."""
        _check(role, org)
        now = self._clock()
        text = f"ioc_{LETTERS[role]}_" + "".join(secrets.choice(_ALPHABET) for _ in range(RANDOM_CHARACTERS))
        expires = now + valid_for if valid_for is not None else None
        info = KeyInfo(secrets.token_hex(ID_BYTES), role, org, note, now, expires, None)
        self._file.update(lambda entries: entries.update({info.id: _entry(info, digest(text))}))
        return NewKey(text, info)

    def all(self) -> list[KeyInfo]:
        """Every key ever made, the oldest first."""
        infos = [_info(key_id, entry) for key_id, entry in self._file.read().items()]
        return sorted(infos, key=lambda info: info.created_at)

    def revoke(self, key_id: str) -> KeyInfo:
        """Make a key worthless from now on, in every process. Idempotent. Raises KeyRequestError."""
        now = self._clock()

        def change(entries: Entries) -> KeyInfo:
            entry = entries.get(key_id)
            if entry is None:
                raise KeyRequestError(
                    f"Không có khóa nào có mã {key_id!r}. Cách xử lý: xem danh sách bằng `ioc key ls`",
                    f"no key has the id {key_id!r}. Cure: `ioc key ls` lists them",
                )
            entry["revoked_at"] = entry["revoked_at"] or now.isoformat()
            return _info(key_id, entry)

        return self._file.update(change)

    def has_live(self, role: str) -> bool:
        """Whether a key of this role would be let in now."""
        now = self._clock()
        return any(info.role == role and info.is_live(now) for info in self.all())

    def authenticate(self, key: str) -> Principal | None:
        """The holder of a live key. The time taken does not depend on how much of a key is right."""
        wanted = digest(key)
        found: tuple[str, dict[str, Any]] | None = None
        for key_id, entry in self._file.read().items():
            if hmac.compare_digest(str(entry["sha256"]), wanted):
                found = key_id, entry
        return self._principal(*found) if found is not None else None

    def by_id(self, key_id: str) -> Principal | None:
        """The holder of a live key by its id: for a session that was opened with it."""
        entry = self._file.read().get(key_id)
        return self._principal(key_id, entry) if entry is not None else None

    def _principal(self, key_id: str, entry: dict[str, Any]) -> Principal | None:
        info = _info(key_id, entry)
        return Principal(info.role, info.org, info.id) if info.is_live(self._clock()) else None


def _check(role: str, org: str | None) -> None:
    if role not in LETTERS:
        known = ", ".join(LETTERS)
        raise KeyRequestError(f"Không có vai trò {role!r}; hãy chọn: {known}", f"no role {role!r}; choose: {known}")
    if role == "department" and not org:
        raise KeyRequestError(
            "Khóa của đơn vị phải ghi rõ đơn vị, ví dụ --org H53.14",
            "a department's key needs its unit, such as --org H53.14",
        )
    if role != "department" and org:
        raise KeyRequestError(
            f"Vai trò {role} thấy toàn tỉnh; --org chỉ dùng với vai trò department",
            f"role {role} sees the whole province; --org goes with role department only",
        )


def _entry(info: KeyInfo, sha256: str) -> dict[str, Any]:
    return {
        "sha256": sha256,
        "role": info.role,
        "org": info.org,
        "note": info.note,
        "created_at": info.created_at.isoformat(),
        "expires_at": info.expires_at.isoformat() if info.expires_at else None,
        "revoked_at": None,
    }


def _info(key_id: str, entry: dict[str, Any]) -> KeyInfo:
    def moment(name: str) -> datetime | None:
        return datetime.fromisoformat(entry[name]) if entry[name] else None

    return KeyInfo(
        id=key_id,
        role=entry["role"],
        org=entry["org"],
        note=entry["note"],
        created_at=datetime.fromisoformat(entry["created_at"]),
        expires_at=moment("expires_at"),
        revoked_at=moment("revoked_at"),
    )
