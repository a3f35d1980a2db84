"""How the 1022 system delivers: bodies signed anew at each attempt, tried until they are accepted."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import random
import secrets
import time

import httpx2

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0
TIMEOUT_S = 30.0
WORTH_SAYING = 3
"""Attempts in vain before the log says so."""
NDJSON = "application/x-ndjson"
JSON = "application/json"

log = logging.getLogger("feedback-1022")


def sign(key: str, body: bytes, timestamp: int, nonce: str) -> dict[str, str]:
    """The three headers over timestamp, nonce and body."""
    message = f"{timestamp}.{nonce}.".encode() + body
    digest = hmac.new(key.encode(), message, hashlib.sha256).hexdigest()
    return {"X-IOC-Timestamp": str(timestamp), "X-IOC-Nonce": nonce, "X-IOC-Signature": f"sha256={digest}"}


class Sender:
    """Posts to one target. Only a 202 counts; everything else is tried again, ever more slowly."""

    def __init__(self, target: str, key: str) -> None:
        self._target = target
        self._key = key
        self._client = httpx2.AsyncClient(timeout=TIMEOUT_S)
        self.deliveries = 0
        self.retries = 0
        self.last_problem = ""

    async def close(self) -> None:
        await self._client.aclose()

    async def deliver(self, body: bytes, content_type: str) -> None:
        """Returns when the target has accepted the body; cancel it to give up."""
        wait, tries = FIRST_WAIT_S, 0
        while True:
            problem, pause = await self._attempt(body, content_type)
            if not problem:
                self.deliveries += 1
                self.last_problem = ""
                return
            self.retries += 1
            tries += 1
            if tries == WORTH_SAYING:
                log.warning("not accepted %d times, trying on: %s", tries, problem)
            self.last_problem = problem
            await asyncio.sleep(max(pause, wait * random.uniform(0.5, 1.0)))
            wait = min(wait * 2, LONGEST_WAIT_S)

    async def _attempt(self, body: bytes, content_type: str) -> tuple[str, float]:
        """What stood in the way (empty: accepted), and how long the target asked to wait."""
        headers = sign(self._key, body, int(time.time()), secrets.token_hex(16)) | {"Content-Type": content_type}
        try:
            response = await self._client.post(self._target, content=body, headers=headers)
        except httpx2.HTTPError as error:
            return f"{type(error).__name__}: {error}", 0.0
        if response.status_code == 202:
            return "", 0.0
        asked = response.headers.get("retry-after", "")
        return f"{response.status_code} {response.text[:200]}", float(asked) if asked.isdigit() else 0.0
