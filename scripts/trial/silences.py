"""Times in which the sandbox was silent on purpose, unseen by the stall timer of a replaced stream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trial.judge import OpenedStream, Silence

_KINDS = ("stall", "half_open")


def silences(
    strikes: Iterable[dict[str, Any]], streams: Iterable[OpenedStream], stall_timeout_s: float
) -> list[Silence]:
    """Return the silences of the strikes, each up to the time at which the stall timer must fire."""
    names = {stream.id: stream.connection for stream in streams}
    return [
        Silence(name, strike["at_mono"], strike["at_mono"] + stall_timeout_s)
        for strike in strikes
        if any(fault["fault"] in _KINDS for fault in strike["faults"])
        for name in (names[number] for number in strike["struck"])
        if name is not None
    ]
