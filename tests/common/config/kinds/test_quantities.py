"""Durations, sizes and counts are read as people write them, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.config.kinds.quantities import (
    read_count,
    read_duration,
    read_rate,
    read_size,
    read_yes_no,
)

READERS: list[Callable[[str], object]] = [read_count, read_duration, read_rate, read_size, read_yes_no]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("30s", 30),
        ("1.5m", 90),
        ("2 h", 7200),
        ("1d", 86_400),
        ("0.5ms", 0.0005),
        ("366d", 31_622_400),
    ],
)
def test_a_duration_has_a_unit(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "0s",
        "0.0ms",
        "-1s",
        "+1s",
        "1e3s",
        "30S",
        "1M",
        "1m30s",
        "s",
        ".5s",
        "367d",
        "٣s",
        "inf",
        "1s\n",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("4096", 4096), ("1K", 1024), ("1.5k", 1536), ("64M", 64 << 20), ("2 G", 2 << 30)],
)
def test_a_size_is_bytes_or_powers_of_1024(text: str, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "64MB", "64MiB", "K", "1T", "٣", "0x10"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_size(text)


@pytest.mark.parametrize("text", ["", "-1", "1.0", "1_000", "٣", "1e3"])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_count(text)


@pytest.mark.parametrize("text", ["", "0", "0.000", "-2", "nan", "inf", "2/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_rate(text)


@pytest.mark.parametrize(
    ("text", "answer"),
    [("yes", True), ("On", True), ("TRUE", True), ("no", False), ("off", False), ("false", False)],
)
def test_yes_and_no_may_be_said_in_several_ways(text: str, answer: bool) -> None:
    assert read_yes_no(text) is answer


@pytest.mark.parametrize("reader", READERS)
@given(text=st.text(alphabet="0123456789.msKMGyeno -+e٣", max_size=16))
def test_any_text_is_read_or_refused_by_a_value_error(reader: Callable[[str], object], text: str) -> None:
    try:
        reader(text)
    except ValueError as error:
        assert len(text) < 4 or text not in str(error)
