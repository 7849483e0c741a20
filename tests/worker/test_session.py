"""The end of a stream as a session tells it: dated to when all that came before was safe."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from support.deliveries import worker_birth

from traptor.common.messages import Close, Disconnected, DisconnectKind
from traptor.worker.session import Session


class Delivered:
    """Has kept all, or not, of what came; what came until `safe_until` is safe."""

    def __init__(self, *, keeps: bool, safe_until: float) -> None:
        self._keeps = keeps
        self._safe_until = safe_until

    def keep(self) -> bool:
        return self._keeps

    def safe_until(self) -> float:
        return self._safe_until


class Handling:
    """A pipeline that has no message in hand."""

    problem = ""

    def __init__(self, delivery: Delivered) -> None:
        self.keep = delivery.keep


def dated(tmp_path: Path, delivery: Delivered, *, streamed: bool = True, **members: object) -> Disconnected:
    pipeline = Handling(delivery)
    session = Session(worker_birth(tmp_path), delivery, pipeline, None, lambda _message: None)  # type: ignore[arg-type]
    session._current.opened(10.0)
    ended = Disconnected(at=20.0, last_byte_at=19.0, safe_until=18.0, streamed=streamed, **members)  # type: ignore[arg-type]
    return session._dated(ended)


def times(ended: Disconnected) -> tuple[float, float, float | None]:
    return ended.at, ended.last_byte_at, ended.safe_until


@pytest.mark.parametrize("kind", [kind for kind in DisconnectKind if kind is not DisconnectKind.OUTBOX_FULL])
def test_whatever_ended_the_stream_what_cannot_be_kept_lies_after_its_end(
    tmp_path: Path, kind: DisconnectKind
) -> None:
    lost = dated(tmp_path, Delivered(keeps=False, safe_until=12.5), kind=kind)
    assert times(lost) == (12.5, 12.5, 12.5)
    kept = dated(tmp_path, Delivered(keeps=True, safe_until=12.5), kind=kind)
    assert times(kept) == (20.0, 19.0, 18.0)


def test_a_stream_that_a_full_outbox_closes_ends_where_all_is_safe(tmp_path: Path) -> None:
    ended = dated(tmp_path, Delivered(keeps=True, safe_until=17.0), kind=DisconnectKind.OUTBOX_FULL)
    assert times(ended) == (17.0, 17.0, 17.0)


def test_no_stream_ends_before_it_began_or_after_it_ended(tmp_path: Path) -> None:
    early = dated(tmp_path, Delivered(keeps=False, safe_until=0.0), kind=DisconnectKind.SERVER_CLOSE)
    assert times(early) == (10.0, 10.0, 10.0)
    late = dated(tmp_path, Delivered(keeps=False, safe_until=30.0), kind=DisconnectKind.SERVER_CLOSE)
    assert times(late) == (20.0, 20.0, 20.0)


def test_a_connect_that_opened_no_stream_keeps_its_time(tmp_path: Path) -> None:
    refused = dated(
        tmp_path, Delivered(keeps=False, safe_until=12.5), kind=DisconnectKind.HTTP, streamed=False
    )
    assert times(refused) == (20.0, 19.0, 18.0)


def test_a_close_ends_a_recovery_job_too(tmp_path: Path) -> None:
    session = Session(worker_birth(tmp_path), None, None, None, lambda _message: None)  # type: ignore[arg-type]
    session.order(Close())  # there may have been no piece yet
    told: list[str] = []
    session._filler = SimpleNamespace(end_recovery=lambda: told.append("ended"))  # type: ignore[assignment]
    session.order(Close())
    assert told == ["ended"]
