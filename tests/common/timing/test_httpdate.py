"""Dates of HTTP headers, whatever a server writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.timing.httpdate import http_date


def test_a_date_is_read() -> None:
    assert http_date("Mon, 30 Nov 2026 06:00:00 GMT") == 1_796_018_400.0


@pytest.mark.parametrize("text", ["", "soon", "Mon, 99 Nov 2026 06:00:00 GMT"])
def test_anything_else_is_none(text: str) -> None:
    assert http_date(text) is None


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    http_date(text)
