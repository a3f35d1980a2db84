"""Client of any Confluent-compatible schema registry: register, fetch by id, check compatibility."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

from schemas.errors import RegistryError, RegistryUnavailableError, UnknownSchemaError
from schemas.schema_texts import SchemaTexts

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
TIMEOUT_S = 5.0
"""A registry answers in milliseconds; one that needs longer is treated as away."""
UNKNOWN_SCHEMA_CODE = 40403
UNKNOWN_SUBJECT_CODE = 40401
NOT_FOUND = 404
SERVER_ERRORS = 500
TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """How a registry lets one in: a Bearer token, or a user and a password; `ca` is a PEM file of the only
    authorities to trust, unset: those of the system."""

    token: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None


class RegistryClient:
    """Speaks to one registry. Blocks; thread-safe. `monotonic` is a clock in seconds.

    `token` goes out as a Bearer token; `access` may hold a user and password instead, which go out as basic
    authentication, as do credentials in `url`. Every call may raise RegistryUnavailableError (no answer, 429 or 5xx:
    wait and retry) or RegistryError (refused, with the registry's message). OSError if the CA file cannot be read.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        access: RegistryAccess | None = None,
    ) -> None:
        given = access or RegistryAccess(token)
        headers = {"Accept": f"{CONTENT_TYPE}, application/json", "Content-Type": CONTENT_TYPE}
        if given.token is not None:
            headers["Authorization"] = f"Bearer {given.token}"
        self._url = str(httpx2.URL(url).copy_with(username="", password=""))
        self._http = httpx2.Client(
            base_url=url,
            headers=headers,
            auth=(given.user, given.password or "") if given.user is not None else None,
            verify=True if given.ca is None else ssl.create_default_context(cafile=str(given.ca)),
            timeout=TIMEOUT_S,
            trust_env=False,
        )
        self._lock = threading.Lock()
        self._ids: dict[tuple[str, str], int] = {}
        self._texts = SchemaTexts(self._fetch, monotonic)

    def close(self) -> None:
        """Close the connections. Idempotent."""
        self._http.close()

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def register(self, subject: str, schema_text: str) -> int:
        """The id of this schema, registered under the subject if it was not. Idempotent; remembered."""
        known = self._ids.get((subject, schema_text))
        if known is not None:
            return known
        body = self._ask("POST", f"/subjects/{_quoted(subject)}/versions", {"schema": schema_text})
        schema_id = int(body["id"])
        with self._lock:
            self._ids[subject, schema_text] = schema_id
        self._texts.exists(schema_id)
        return schema_id

    def schema_text(self, schema_id: int) -> str:
        """The schema's text by id, remembered as `SchemaTexts` says; UnknownSchemaError on 404."""
        return self._texts.text(schema_id)

    def _fetch(self, schema_id: int) -> str:
        try:
            return str(self._ask("GET", f"/schemas/ids/{schema_id}")["schema"])
        except _NotFoundError as error:
            if error.code != UNKNOWN_SCHEMA_CODE:
                raise  # a wrong address also answers 404; records must not be condemned for it
            raise UnknownSchemaError(f"no schema has the id {schema_id} in the registry") from error

    def subjects(self) -> list[str]:
        """Names of all subjects with a live version."""
        return [str(name) for name in self._ask("GET", "/subjects")]

    def latest(self, subject: str) -> tuple[int, int, str]:
        """(id, version, schema text) of the subject's latest version; RegistryError if there is none."""
        body = self._ask("GET", f"/subjects/{_quoted(subject)}/versions/latest")
        return int(body["id"]), int(body["version"]), str(body["schema"])

    def versions(self, subject: str) -> list[int]:
        """Numbers of the subject's live versions, oldest first; empty if there is no such subject."""
        try:
            return [int(number) for number in self._ask("GET", f"/subjects/{_quoted(subject)}/versions")]
        except _NotFoundError as error:
            if error.code != UNKNOWN_SUBJECT_CODE:
                raise
            return []

    def version(self, subject: str, number: int) -> tuple[int, str]:
        """(id, schema text) of one version; RegistryError if there is none."""
        body = self._ask("GET", f"/subjects/{_quoted(subject)}/versions/{number}")
        return int(body["id"]), str(body["schema"])

    def level(self, subject: str) -> str:
        """The compatibility level that holds for the subject: its own, else the registry's."""
        body = self._ask("GET", f"/config/{_quoted(subject)}?defaultToGlobal=true")
        return str(body.get("compatibilityLevel") or body["compatibility"])

    def compatible(self, subject: str, schema_text: str) -> tuple[bool, list[str]]:
        """Whether the schema could be registered under the subject's level, and what stands against it.

        A subject that does not exist yet takes any schema.
        """
        path = f"/compatibility/subjects/{_quoted(subject)}/versions/latest?verbose=true"
        body = self._ask("POST", path, {"schema": schema_text})
        return bool(body["is_compatible"]), [str(message) for message in body.get("messages", ())]

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        try:
            response = self._http.request(method, path, json=body)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise RegistryUnavailableError(
                f"the schema registry at {self._url} does not answer ({_why(error)})"
            ) from error
        if response.is_success:
            try:
                return response.json()
            except ValueError as error:
                raise RegistryError(f"{self._url} does not speak as a schema registry: {path}: no JSON") from error
        raise self._refusal(response, path)

    def _refusal(self, response: httpx2.Response, path: str) -> RegistryError:
        status = response.status_code
        code, message = _error_body(response)
        if status >= SERVER_ERRORS or status == TOO_MANY:
            return RegistryUnavailableError(f"the schema registry at {self._url} answered {status}: {message}")
        text = f"the schema registry refused {path}: {message} ({code or status})"
        return _NotFoundError(text, code) if status == NOT_FOUND else RegistryError(text)


class _NotFoundError(RegistryError):
    def __init__(self, text: str, code: int | None) -> None:
        super().__init__(text)
        self.code = code


def _why(error: Exception) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "its certificate is not trusted; name its authority in IOC_REGISTRY__CA"
    return type(error).__name__


def _quoted(subject: str) -> str:
    return quote(subject, safe="")


def _error_body(response: httpx2.Response) -> tuple[int | None, str]:
    try:
        body = response.json()
        return int(body["error_code"]), str(body["message"])
    except (ValueError, KeyError, TypeError):
        return None, response.text[:200]
