"""The way to the API for programs and the command line: answers as values with types, problems as exceptions.

hub = client(settings)                      # or Client("http://ioc.example:8080", key)
share = hub.kpi("dossier.on_time_share", date(2022, 1, 1), date(2022, 9, 30), by="org_code", compare="year")
for record in hub.kpi_records("dossier.on_time_share", "numerator", date(2022, 1, 1), date(2022, 9, 30)): ...
hub.sql("SELECT count() FROM dossier WHERE org_code = {org:String}", {"org": "H53.14"}).rows
hub.download("/v1/entities/dossier.parquet", Path("dossier.parquet"))
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from hub.client_answers import KpiFigure, SqlAnswer
from hub.config import Settings
from hub.local_secrets import local_secrets

TIMEOUT_S = 30.0
CLI_KEY = "cli.key"
"""File under the state's secrets with the key that `ioc up` made for commands on the same machine."""


class ClientError(Exception):
    """The API did not give what was asked for; the message is for the person at the terminal."""


class ApiAwayError(ClientError):
    """Nobody answers at the address."""


class RefusedError(ClientError):
    """The server refused; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Client:
    """Calls block. `key` never appears in a repr."""

    url: str
    key: str | None = field(repr=False)
    language: str = "vi"

    def get(self, path: str, parameters: Mapping[str, str | None] | None = None) -> Any:
        """The answer's JSON; parameters that are None are left out. Raises `ClientError`."""
        try:
            with self._opened(path, parameters) as response:
                return json.load(response)
        except ValueError as error:
            raise ClientError(f"{self.url}{path}: not JSON: {error}") from error

    def kpis(self, start: date | None = None, end: date | None = None) -> tuple[KpiFigure, ...]:
        """All KPIs over a period; by default this year so far. Raises `ClientError`."""
        answer = self.get("/v1/kpis", _days(start, end))
        return tuple(KpiFigure.of(item) for item in answer["items"])

    def kpi(
        self,
        kpi_id: str,
        start: date | None = None,
        end: date | None = None,
        *,
        by: str | None = None,
        grain: str | None = None,
        compare: str | None = None,
        where: Mapping[str, str] | None = None,
        as_known_at: datetime | None = None,
    ) -> KpiFigure:
        """One KPI in full: `GET /v1/kpis/{id}`. Raises `ClientError`."""
        known_at = None if as_known_at is None else as_known_at.isoformat()
        asked = {**_days(start, end), "by": by, "grain": grain, "compare": compare, "as_known_at": known_at}
        return KpiFigure.of(self.get(f"/v1/kpis/{urllib.parse.quote(kpi_id)}", {**asked, **_where(where)}))

    def kpi_records(
        self,
        kpi_id: str,
        role: str,
        start: date | None = None,
        end: date | None = None,
        where: Mapping[str, str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The records behind a figure, one after the other, each with its `amount`. Raises `ClientError`."""
        path = f"/v1/kpis/{urllib.parse.quote(kpi_id)}/records"
        return self._pages(path, {**_days(start, end), **_where(where), "role": role})

    def records(
        self, entity: str, where: Mapping[str, str] | None = None, sort: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """All records of an entity that fit, one after the other. Raises `ClientError`."""
        return self._pages(f"/v1/entities/{urllib.parse.quote(entity)}", {**_where(where), "sort": sort})

    def sql(self, query: str, parameters: Mapping[str, str] | None = None, limit: int = 1000) -> SqlAnswer:
        """A question in SQL, for operators and administrators. Raises `ClientError`."""
        asked = {f"param_{name}": value for name, value in (parameters or {}).items()}
        return SqlAnswer.of(self.get("/v1/sql", {"query": query, "limit": str(limit), **asked}))

    def download(self, path: str, target: Path, parameters: Mapping[str, str | None] | None = None) -> int:
        """Write a file of the API to `target`, piece by piece; its bytes. Raises `ClientError`: then there is none."""
        part = target.with_name(f"{target.name}.part")
        try:
            with self._opened(path, parameters) as response, part.open("wb") as file:
                shutil.copyfileobj(response, file, 1 << 16)
            part.replace(target)
        except (OSError, http.client.HTTPException) as error:
            part.unlink(missing_ok=True)
            raise ClientError(f"{target}: {error}") from error
        return target.stat().st_size

    def _pages(self, path: str, parameters: Mapping[str, str | None]) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            page = self.get(path, {**parameters, "limit": "1000", "cursor": cursor})
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def _opened(self, path: str, parameters: Mapping[str, str | None] | None = None) -> Any:
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        query = f"?{urllib.parse.urlencode(given)}" if given else ""
        request = urllib.request.Request(self.url + path + query, headers=self._headers())
        try:
            return urllib.request.urlopen(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            raise ClientError(_problem_text(error)) from error
        except (urllib.error.URLError, OSError) as error:
            raise ApiAwayError(f"{self.url}: {getattr(error, 'reason', error)}") from error

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        parameters: Mapping[str, str | None] | None = None,
    ) -> Any:
        """Send JSON, or a text as YAML; the answer's JSON, text, or None. Raises `ClientError`."""
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        query = f"?{urllib.parse.urlencode(given)}" if given else ""
        headers = self._headers()
        data: bytes | None = None
        if body is not None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            headers["Content-Type"] = "text/yaml" if isinstance(body, str) else "application/json"
        request = urllib.request.Request(self.url + path + query, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
                received = response.read()
                is_json = response.headers.get_content_type() == "application/json"
        except urllib.error.HTTPError as error:
            raise RefusedError(error.code, _message(error)) from error
        except (urllib.error.URLError, OSError) as error:
            raise ApiAwayError(f"{self.url}: {getattr(error, 'reason', error)}") from error
        if not received:
            return None
        return json.loads(received) if is_json else received.decode()

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "Accept-Language": self.language}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        return headers


def _days(start: date | None, end: date | None) -> dict[str, str | None]:
    return {"from": start.isoformat() if start else None, "to": end.isoformat() if end else None}


def _where(where: Mapping[str, str] | None) -> dict[str, str]:
    return {f"where[{name}]": value for name, value in (where or {}).items()}


def _problem_text(error: urllib.error.HTTPError) -> str:
    try:
        return f"{error.code} {_words(json.load(error))}"
    except (ValueError, AttributeError):
        return f"{error.code} {error.reason}"


def _words(problem: Mapping[str, Any]) -> str:
    lines = [": ".join(filter(None, (problem.get("title"), problem.get("detail"))))]
    lines += [f"  {item.get('parameter', '')}: {item.get('detail', '')}" for item in problem.get("errors", ())]
    return "\n".join(lines)


def _message(error: urllib.error.HTTPError) -> str:
    """The words of Kafka Connect's error body, or of a problem."""
    try:
        body = json.load(error)
        return str(body["message"]) if "message" in body else f"{error.code} {_words(body)}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{error.code} {error.reason}"


def connect_client(settings: Settings, key: str | None = None) -> Client:
    """As `client`, for the connectors' interface."""
    return replace(client(settings, key), url=settings.connect_url)


def client(settings: Settings, key: str | None = None) -> Client:
    """With `key`, else `IOC_API_KEY`, else the key of this machine's stack."""
    found = key or os.environ.get("IOC_API_KEY") or local_secrets(settings.state_dir).read(CLI_KEY)
    return Client(settings.api_url, found, settings.lang)
