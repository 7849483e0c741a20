"""A failure is a warning once, however often it comes again."""

from __future__ import annotations

import logging

import pytest

from traptor.common.messages import Disconnected, DisconnectKind
from traptor.worker.current import Ends

HTTP, NETWORK, CLOSED = DisconnectKind.HTTP, DisconnectKind.NETWORK, DisconnectKind.SERVER_CLOSE


def ended(kind: DisconnectKind, status: int | None = None, *, streamed: bool = False) -> Disconnected:
    return Disconnected(kind=kind, at=1.0, last_byte_at=1.0, streamed=streamed, status=status)


def test_what_fails_again_in_the_same_way_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "traptor")
    ends = Ends()
    for one in (
        *[ended(HTTP, 503)] * 3,
        ended(HTTP, 429),
        *[ended(NETWORK)] * 2,
        ended(CLOSED, 200, streamed=True),
        *[ended(NETWORK)] * 2,
        ended(NETWORK, 200, streamed=True),
    ):
        ends.tell(one, "k1")
    ends.tell(ended(NETWORK), "k2")
    ends.tell(ended(NETWORK), "k3")
    said = [(record.levelname, record.message) for record in caplog.records]
    warning, again = ("WARNING", "connect failed"), ("INFO", "connect failed")
    assert said == [
        *(warning, again, again),
        warning,
        *(warning, again),
        ("INFO", "stream ended"),
        *(warning, again),
        ("WARNING", "stream ended"),
        *(warning, warning),
    ]
