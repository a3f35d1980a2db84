"""Traces: off they load nothing and change nothing; on, the context goes with the batch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from schemas import tracing
from streams.records import Records, from_offset, joined, part
from tests.stack import ROOT

ONE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def on() -> Iterator[None]:
    from opentelemetry.sdk.trace import TracerProvider

    tracing._tracer = TracerProvider().get_tracer("test")
    yield
    tracing.configure(None, "test")


def test_off_nothing_is_loaded_and_a_span_is_one_shared_thing() -> None:
    code = (
        "import sys; from schemas import tracing; tracing.configure(None, 'stream');"
        "assert tracing.span('a') is tracing.span('b', x=1); assert tracing.context() is None;"
        "import connectors.publish, streams.partition;"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)


def test_the_context_is_read_from_headers_and_stays_with_the_records(on: None) -> None:
    assert tracing.context_in([("other", b"x"), ("traceparent", ONE.encode())]) == (ONE,)
    assert tracing.context_in([]) == tracing.context_in(None) == ()
    parts = [Records.of([0], [0], [b"k"], [b"v"], (ONE,)), Records.of([1, 2], [0, 0], [b"k"] * 2, [b"v"] * 2, (OTHER,))]
    whole = joined(parts)
    assert whole.traces == (ONE, OTHER)
    assert part(whole, 1, 2).traces == from_offset(whole, 1).traces == (ONE, OTHER)


def test_a_span_is_below_its_parent_and_tells_no_words_of_an_error(on: None) -> None:
    with pytest.raises(ValueError, match="citizen"), tracing.span("a", ONE, (OTHER,), batch="t:0:1-2"):
        from opentelemetry import trace

        current = trace.get_current_span()
        context = tracing.context()
        assert context is not None
        assert context.split("-")[1] == ONE.split("-")[1]
        raise ValueError("a citizen's name")
    assert [link.context.trace_id for link in current.links] == [int(OTHER.split("-")[1], 16)]  # type: ignore[attr-defined]
    assert current.attributes["ioc.batch"] == "t:0:1-2"  # type: ignore[attr-defined]
    assert current.status.description == "ValueError"  # type: ignore[attr-defined]
    assert current.events == ()  # type: ignore[attr-defined]
