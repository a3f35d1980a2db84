"""Errors of this package.

SecurityError
├── CredentialStoreError    a file of keys or links cannot be read or written: mend or restore the file
└── KeyRequestError         a key cannot be made or revoked as asked: ask differently
"""

from __future__ import annotations


class SecurityError(Exception):
    """Root of this package's errors. Messages are Vietnamese first, then English, and hold no secret."""

    def __init__(self, vi: str, en: str) -> None:
        super().__init__(f"{vi} / {en}")
        self.vi = vi
        self.en = en


class CredentialStoreError(SecurityError):
    """A file of keys or links is unreadable."""


class KeyRequestError(SecurityError):
    """The request for a key makes no sense."""
