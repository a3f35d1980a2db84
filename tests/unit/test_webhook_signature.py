"""Signatures, nonces, bodies and problems of pushed requests."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import orjson
import pytest

from connectors.mac import Mac
from connectors.payload import records_of
from connectors.problem import ProblemType, RequestRefusedError, language_of, render
from connectors.signature import NonceStore, Signed, Verifier, sign

KEY, OLD_KEY = b"the secret", b"the secret before"
START = 1_700_000_000.5
NOW = START + 1_000
BODY = b'{"id":"evt-1"}'


def verifier(**changes: Any) -> Verifier:
    return Verifier(
        **{
            "connector": "feedback-1022",
            "macs": (Mac(KEY), Mac(OLD_KEY)),
            "tolerance_s": 300,
            "started_s": START,
            "nonces": NonceStore(),
        }
        | changes
    )


def signed(key: bytes = KEY, stamp: int = int(NOW), nonce: str = "nonce-0001", body: bytes = BODY) -> Signed:
    return Signed(str(stamp), nonce, sign(key, stamp, nonce, body))


def refused(check: Verifier, request: Signed, body: bytes = BODY, now: float = NOW) -> ProblemType:
    with pytest.raises(RequestRefusedError) as caught:
        check.check(request, body, now)
    return caught.value.refusal.type


@pytest.mark.parametrize("key", [b"", KEY, b"k" * 64, b"k" * 65])
def test_a_signature_is_the_hmac_of_timestamp_nonce_and_body(key: bytes) -> None:
    expected = hmac.new(key, b"1700000000.nonce-0001." + BODY, hashlib.sha256).hexdigest()
    assert sign(key, 1_700_000_000, "nonce-0001", BODY) == f"sha256={expected}"


@pytest.mark.parametrize("key", [KEY, OLD_KEY])
def test_both_live_keys_are_accepted(key: bytes) -> None:
    assert verifier().check(signed(key), BODY, NOW) == "nonce-0001"


def test_a_wrong_key_body_nonce_or_timestamp_is_refused() -> None:
    assert refused(verifier(), signed(b"guess")) is ProblemType.WRONG_SIGNATURE
    assert refused(verifier(), signed(), BODY + b" ") is ProblemType.WRONG_SIGNATURE
    good = signed()
    assert refused(verifier(), Signed(good.timestamp, "nonce-0002", good.signature)) is ProblemType.WRONG_SIGNATURE
    moved = Signed(str(int(NOW) + 1), good.nonce, good.signature)
    assert refused(verifier(), moved) is ProblemType.WRONG_SIGNATURE


@pytest.mark.parametrize("key", ["", "chữ ký", "sha256=", "sha1=00"])
def test_no_signature_text_passes(key: str) -> None:
    kind = ProblemType.WRONG_SIGNATURE if key else ProblemType.MISSING_SIGNATURE
    assert refused(verifier(), Signed(str(int(NOW)), "nonce-0001", key)) is kind


def test_without_keys_nothing_passes() -> None:
    assert refused(verifier(macs=()), signed(b"")) is ProblemType.WRONG_SIGNATURE


@pytest.mark.parametrize("offset", [-301, 302])
def test_a_timestamp_out_of_bounds_is_refused(offset: int) -> None:
    assert refused(verifier(), signed(stamp=int(NOW) + offset)) is ProblemType.STALE_TIMESTAMP


@pytest.mark.parametrize("text", ["now", "-5", "1e9", "٣", "9" * 40])
def test_a_timestamp_must_be_unix_seconds(text: str) -> None:
    assert refused(verifier(), Signed(text, "nonce-0001", "sha256=00")) is ProblemType.STALE_TIMESTAMP


def test_a_request_is_taken_once() -> None:
    check = verifier()
    check.check(signed(), BODY, NOW)
    assert refused(check, signed()) is ProblemType.REPLAYED_NONCE
    assert refused(check, signed(stamp=int(NOW) + 5)) is ProblemType.REPLAYED_NONCE


def test_a_request_that_was_not_taken_may_come_again() -> None:
    nonces = NonceStore()
    check = verifier(nonces=nonces)
    nonces.release("feedback-1022", check.check(signed(), BODY, NOW))
    check.check(signed(), BODY, NOW)


def test_a_wrong_signature_does_not_use_up_the_nonce() -> None:
    check = verifier()
    refused(check, signed(b"guess"))
    check.check(signed(), BODY, NOW)


def test_what_was_signed_before_the_start_must_be_signed_anew() -> None:
    check = verifier()
    assert refused(check, signed(stamp=int(START)), now=START + 1) is ProblemType.SIGNED_BEFORE_START
    check.check(signed(stamp=int(START) + 1), BODY, START + 1)


def test_nonces_are_forgotten_when_their_timestamps_expire_and_not_before() -> None:
    nonces = NonceStore()
    check = verifier(nonces=nonces)
    for number in range(100):
        check.check(signed(nonce=f"nonce-{number:04d}"), BODY, NOW)
    check.check(signed(stamp=int(NOW) + 300, nonce="nonce-later"), BODY, NOW + 300)
    assert len(nonces) == 101
    check.check(signed(stamp=int(NOW) + 302, nonce="nonce-last"), BODY, NOW + 302)
    assert len(nonces) == 2


def test_a_full_store_asks_for_patience() -> None:
    check = verifier(nonces=NonceStore(capacity=1))
    check.check(signed(), BODY, NOW)
    assert refused(check, signed(nonce="nonce-0002")) is ProblemType.OVERLOADED


@pytest.mark.parametrize(
    ("body", "content_type", "count"),
    [
        (b'{"a":1}', "application/json", 1),
        (b'[{"a":1},{"a":2}]', "application/json", 2),
        (b'{"a":1}\n{"a":2}\r\n\n{"a":3}\n', "", 3),
        (b'{"a":1}\n', "application/x-ndjson", 1),
        (b"[]", "", 0),
        (b'{\n "a": 1\n}', "application/json", 1),
    ],
)
def test_an_object_an_array_and_ndjson_are_read(body: bytes, content_type: str, count: int) -> None:
    assert len(records_of(body, content_type)) == count


@pytest.mark.parametrize("body", [b"", b"x", b'{"a":', b"5", b'"text"', b'{"a":1}\n{"b"', b"\xff\xfe", b"[" * 5000])
def test_anything_else_is_refused_whole(body: bytes) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        records_of(body)
    assert caught.value.refusal.type is ProblemType.NOT_JSON


def test_a_broken_line_is_named() -> None:
    with pytest.raises(RequestRefusedError) as caught:
        records_of(b'{"a":1}\n{"a":oops}\n', "application/x-ndjson")
    assert caught.value.refusal.extra["line"] == 2


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "vi"), ("en", "en"), ("vi,en;q=0.8", "vi"), ("fr, en-GB;q=0.7, vi;q=0.3", "en"), ("fr", "vi")],
)
def test_the_language_is_the_senders(header: str, language: str) -> None:
    assert language_of(header) == language


def test_a_problem_has_a_stable_type_and_a_title_in_the_language() -> None:
    with pytest.raises(RequestRefusedError) as caught:
        records_of(b"x")
    body, headers = render(caught.value.refusal, "en", "/v1/ingest/feedback-1022")
    problem = orjson.loads(body)
    assert problem["type"] == "/problems/not-json"
    assert (problem["status"], problem["title"]) == (400, "Body is not valid JSON")
    assert headers["Content-Type"] == "application/problem+json"
    assert orjson.loads(render(caught.value.refusal, "vi", "/")[0])["title"] == "Nội dung không phải JSON hợp lệ"
