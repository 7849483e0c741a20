"""Whether a key ever had more streams than it may, by the sandbox's own record: pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from trial.judge import OpenedStream

_NOTED_S = 2.0  # after its 200 an overlap is in the log


def overuses(
    streams: Sequence[OpenedStream],
    accounts: Mapping[int, str],
    most: int,
    overlaps: Iterable[tuple[str, float]],
) -> list[str]:
    """Where one stream more was open than an account may have, but for the moments of overlaps.

    `accounts` by the number of the stream; `overlaps` are connections, and when they took one.
    """
    expected = list(overlaps)
    by_account: dict[str, list[OpenedStream]] = defaultdict(list)
    for stream in sorted(streams, key=lambda stream: stream.opened_at):
        by_account[accounts[stream.id]].append(stream)
    return [
        f"{account} had {count} streams when {new.connection} connected, {most} allowed"
        for account, its_streams in sorted(by_account.items())
        for new, count in _opened_with(its_streams)
        if count > most and not _is_overlap(new, expected)
    ]


def _opened_with(streams: Sequence[OpenedStream]) -> Iterable[tuple[OpenedStream, int]]:
    """Each stream, and how many were open right after it had opened: the server ends the older ones later."""
    for number, new in enumerate(streams):
        yield new, 1 + sum(older.is_open(new.opened_at) for older in streams[:number])


def _is_overlap(new: OpenedStream, overlaps: Iterable[tuple[str, float]]) -> bool:
    return any(name == new.connection and abs(at - new.opened_at) <= _NOTED_S for name, at in overlaps)
