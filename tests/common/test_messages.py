"""The frames between master and worker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.reports import report

from traptor.common.counts import Counters
from traptor.common.errors import ProtocolError
from traptor.common.messages import (
    HEADER,
    MAX_FRAME_BYTES,
    Close,
    Connect,
    Connected,
    Disconnected,
    DisconnectKind,
    Drain,
    MayConnect,
    Rules,
    frame,
    from_master,
    from_worker,
    is_urgent,
)

CONNECT = Connect(
    key_id="0a1b2c3d",
    key_name="k1",
    consumer_key="SECRET-ck",
    consumer_secret="SECRET-cs",
    access_token="SECRET-at",
    access_token_secret="SECRET-ats",
    bearer_token="SECRET-bt",
    proxy="http://u:SECRET-pw@p:1",
)
ENDED = Disconnected(
    kind=DisconnectKind.HTTP,
    at=2.5,
    last_byte_at=1.5,
    streamed=False,
    status=420,
    headers={"retry-after": "60"},
)


@pytest.mark.parametrize("message", [MayConnect(), Connected(1.5), ENDED])
def test_what_a_worker_sends_arrives_as_it_was(message: object) -> None:
    data = frame(message)
    assert HEADER.unpack(data[: HEADER.size])[0] == len(data) - HEADER.size
    assert from_worker(data[HEADER.size :]) == message


@pytest.mark.parametrize("message", [CONNECT, Close(), Rules(1, 0, True, b"\xff"), Drain(30.0)])
def test_what_the_master_sends_arrives_as_it_was(message: object) -> None:
    assert from_master(frame(message)[HEADER.size :]) == message


def test_a_message_of_the_other_direction_is_refused() -> None:
    with pytest.raises(ProtocolError):
        from_worker(frame(Drain(1.0))[HEADER.size :])


def test_a_connect_shows_no_secret() -> None:
    assert "SECRET" not in repr(CONNECT)
    assert "k1" in repr(CONNECT)


@given(st.binary(max_size=200))
def test_whatever_bytes_come_only_a_protocol_error_is_raised(payload: bytes) -> None:
    for read in (from_worker, from_master):
        try:
            read(payload)
        except ProtocolError:
            pass


def test_a_frame_that_is_too_large_is_refused_before_it_is_sent() -> None:
    message = Disconnected(
        kind=DisconnectKind.HTTP, at=0, last_byte_at=0, streamed=False, detail="x" * MAX_FRAME_BYTES
    )
    with pytest.raises(ProtocolError, match="larger than"):
        frame(message)


def test_a_report_is_not_urgent_unless_it_tells_of_billed_posts_or_filters_in_effect() -> None:
    told = {"posts": 3}
    assert is_urgent(MayConnect(), told)
    assert is_urgent(ENDED, told)
    assert not is_urgent(report(Counters(received=3, matched=2)), {})
    assert is_urgent(report(Counters(received=3, reads={"posts": 3})), {})
    assert not is_urgent(report(Counters(received=3, reads={"posts": 3})), told)
    assert is_urgent(report(Counters(received=4, reads={"posts": 4})), told)
    assert is_urgent(report(Counters(reads={"posts": 3}), seen_filters=("1",)), told)
