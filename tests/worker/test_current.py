"""Each end of a stream has its level, and a failure is a warning once, however often it comes again."""

from __future__ import annotations

import logging

import pytest

from traptor.common.messages import Disconnected, DisconnectKind
from traptor.worker.current import Ends

LEVELS = {
    DisconnectKind.OWN_CLOSE: logging.INFO,
    DisconnectKind.SERVER_CLOSE: logging.INFO,  # of an overlap; otherwise the gap is the warning
    DisconnectKind.NETWORK: logging.WARNING,
    DisconnectKind.STALL: logging.WARNING,
    DisconnectKind.HTTP: logging.WARNING,
    DisconnectKind.WORKER: logging.WARNING,
    DisconnectKind.OUTBOX_FULL: logging.WARNING,
}
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


@pytest.mark.parametrize("streamed", [True, False])
def test_an_end_that_may_be_intended_is_no_warning_and_every_other_is(
    caplog: pytest.LogCaptureFixture, streamed: bool
) -> None:
    caplog.set_level(logging.INFO, "traptor")
    for kind in DisconnectKind:
        Ends().tell(ended(kind, streamed=streamed), "k1")
    told = {record.__dict__["fields"]["kind"]: record.levelno for record in caplog.records}
    assert told == LEVELS
    event = "stream ended" if streamed else "connect failed"
    assert {(record.message, record.__dict__["fields"]["key"]) for record in caplog.records} == {
        (event, "k1")
    }
