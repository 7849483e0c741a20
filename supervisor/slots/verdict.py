"""Decide which of an app's connections are a dead worker's of ours, and who else holds one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from traptor.common.text import counted, cut, printable
from traptor.supervisor.gaps.interval import iso
from traptor.supervisor.slots.journal import NEAR_S, Journal
from traptor.supervisor.xapi.answers import ListedConnection

_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class SlotVerdict:
    """The connections to end, and a sentence on the others; "" where there are none."""

    dead: tuple[str, ...] = ()  # their ids
    others: str = ""


def judge(
    active: Iterable[ListedConnection],
    journal: Journal,
    living: Sequence[float],
    is_ours: Callable[[str], bool],
) -> SlotVerdict:
    """Judge the active connections; `living` are the times (Unix) of the 200s of streams that we have.

    One is dead if it came from an address of ours, at the time of a connect of ours, and is no stream that
    we have.
    """
    dead: list[str] = []
    others: list[str] = []
    for one in active:
        at = unix_time(one.connected_at)
        if at is not None and any(abs(at - stream) <= NEAR_S for stream in living):
            continue
        is_near = at is not None and journal.has_connect_near(at)
        if one.id and is_near and (one.client_ip in journal.addresses or is_ours(one.client_ip)):
            dead.append(one.id)
        else:
            others.append(_holder(one, at))
    return SlotVerdict(tuple(dead), "; ".join(others))


def told(active: Sequence[ListedConnection], living: Sequence[float]) -> str:
    """Say whose the app's active connections are; `living` are the times of the 200s of streams we have."""
    if not active:
        return "the app has no connection open"
    times = [(one, unix_time(one.connected_at)) for one in active]
    others = [
        _holder(one, at)
        for one, at in times
        if at is None or not any(abs(at - stream) <= NEAR_S for stream in living)
    ]
    ours = len(active) - len(others)
    parts = [*([f"{ours} of ours"] if ours else []), *others]
    return f"open: {counted(len(active), 'connection')} of the app ({'; '.join(parts)})"


def address_of(active: Iterable[ListedConnection], stream_at: float) -> str:
    """Return the address from which a stream of ours came as X sees it; "" where that is not certain."""
    near = [
        one.client_ip
        for one in active
        if (at := unix_time(one.connected_at)) is not None and abs(at - stream_at) <= NEAR_S
    ]
    return near[0] if len(near) == 1 else ""


def unix_time(text: str) -> float | None:
    """Return the time of an ISO 8601 text, or None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _holder(one: ListedConnection, at: float | None) -> str:
    address = cut(printable(one.client_ip or "an unknown address"), _SHOWN_CHARACTERS)
    since = iso(at) if at is not None else "an unknown time"
    return f"held from {address} since {since}"
