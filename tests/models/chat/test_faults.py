from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artsound.models.chat.errors import EndpointError, RefusedError
from artsound.models.chat.faults import Fault, backoff, error_text, judge
from artsound.retry_after import retry_after

NAMED = "http://somewhere/v1"


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_what_may_pass(status: int) -> None:
    fault = judge(status, {"retry-after": "3"}, b"busy", NAMED)
    assert isinstance(fault, Fault)
    assert (fault.status, fault.wait_s) == (status, 3.0)


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_what_is_the_requests_fault(status: int) -> None:
    with pytest.raises(RefusedError, match="too long"):
        judge(status, {}, b'{"error": {"message": "too long"}}', NAMED)


@pytest.mark.parametrize(
    ("status", "says"),
    [(401, "api_key_env"), (402, "paid"), (403, "api_key_env"), (404, "/v1"), (307, "redirects")],
)
def test_what_no_request_survives(status: int, says: str) -> None:
    with pytest.raises(EndpointError, match=says) as caught:
        judge(status, {"location": "http://there"}, b"", NAMED)
    assert NAMED in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=300))
def test_bodies_of_any_kind_are_judged(body: bytes) -> None:
    assert isinstance(judge(200, {}, body, NAMED), Fault)
    line = error_text(body)
    assert "\n" not in line
    assert len(line) <= 210


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({"error": {"message": "one\n two"}}, "one two"),
        ({"error": "text"}, "text"),
        ({"message": "text"}, "text"),
        ({"detail": [{"msg": "x"}]}, "[{'msg': 'x'}]"),
        ({"error": {"message": "y" * 500}}, "y" * 200 + "..."),
    ],
)
def test_what_endpoints_say_is_one_short_line(body: object, line: str) -> None:
    assert error_text(json.dumps(body).encode()) == line


def test_retry_after_takes_seconds_and_dates() -> None:
    assert retry_after("120") == 120.0
    assert retry_after("0.5") == 0.5
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now=1445412470.0) == 10.0
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now=1445412490.0) == 0.0
    assert retry_after("soon") is None
    assert retry_after(None) is None


@given(st.text(), st.integers(1, 30), st.floats(0.001, 10))
def test_backoff_grows_within_its_bounds(key: str, tries: int, base: float) -> None:
    longest = min(base * 2 ** (tries - 1), 60)
    wait = backoff(key, tries, base)
    assert longest / 2 <= wait <= longest
    assert wait == backoff(key, tries, base)


def test_requests_that_failed_together_come_back_apart() -> None:
    waits = [backoff(str(number), 1, 1.0) for number in range(100)]
    assert len(set(waits)) == 100
    assert max(waits) - min(waits) > 0.4
