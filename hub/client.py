"""The command line's way to the API: GET with a key, problems as exceptions."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

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
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        query = f"?{urllib.parse.urlencode(given)}" if given else ""
        request = urllib.request.Request(self.url + path + query, headers=self._headers())
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise ClientError(_problem_text(error)) from error
        except (urllib.error.URLError, OSError) as error:
            raise ApiAwayError(f"{self.url}: {getattr(error, 'reason', error)}") from error
        except ValueError as error:
            raise ClientError(f"{self.url}{path}: not JSON: {error}") from error

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
