"""Times in the forms of v1.1."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.worker.payload.times import timestamp_ms, v1_time


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)))
def test_a_time_is_written_as_v1_did(time: datetime) -> None:
    iso = time.replace(microsecond=0).isoformat() + ".000Z"
    assert v1_time(iso) == f'"{time:%a %b %d %H:%M:%S} +0000 {time:%Y}"'.encode()


@pytest.mark.parametrize(
    ("iso", "expected"),
    [
        ("2026-11-28T10:00:00Z", b'"Sat Nov 28 10:00:00 +0000 2026"'),
        ("2026-11-28T10:00:00.999Z", b'"Sat Nov 28 10:00:00 +0000 2026"'),
        ("2026-11-28T23:30:00.000-05:00", b'"Sun Nov 29 04:30:00 +0000 2026"'),
        ("20261128T100000.000Z", b'"Sat Nov 28 10:00:00 +0000 2026"'),
        (None, b"null"),
    ],
)
def test_times_in_other_forms_are_read_too(iso: str | None, expected: bytes) -> None:
    assert v1_time(iso) == expected


@pytest.mark.parametrize("iso", ["", "yesterday", "2026-02-30T10:00:00.000Z", "2026-11-28T25:00:00.000Z"])
def test_what_is_no_time_is_refused(iso: str) -> None:
    with pytest.raises(ValueError):
        v1_time(iso)


def test_the_milliseconds_are_those_of_the_id_or_of_the_time() -> None:
    at_ms = 1_795_860_000_123
    post_id = (at_ms - 1_288_834_974_657) << 22
    assert timestamp_ms(post_id, None) == b'"%d"' % at_ms
    at_s = int(datetime(2009, 1, 1, tzinfo=UTC).timestamp())
    assert timestamp_ms(1_087_000_000, "2009-01-01T00:00:00.000Z") == b'"%d"' % (at_s * 1000)
    assert timestamp_ms(1_087_000_000, None) == b"null"
