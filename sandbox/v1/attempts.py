"""Every attempted connect, with its answer, and each account's budget of connects."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from traptor.sandbox.clock import Instant
from traptor.sandbox.errors import Refused

KEEP_ATTEMPTS = 100_000


@dataclass(slots=True)
class Attempt:
    """One connect; `status` is None until it is answered."""

    n: int
    at: float
    at_mono: float
    peer_ip: str
    peer_port: int
    consumer_key: str | None
    account: str | None = None
    status: int | None = None
    reason: str = ""
    connection: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the record as the API shows it."""
        return asdict(self)


class Attempts:
    """The log of connects; more than `connects` in `window_s` by one account are refused."""

    def __init__(self, connects: int, window_s: float) -> None:
        self._connects = connects
        self._window_s = window_s
        self._recent: dict[str, deque[float]] = {}
        self.log: deque[Attempt] = deque(maxlen=KEEP_ATTEMPTS)
        self.count = 0

    def start(self, now: Instant, peer: tuple[str, int], consumer_key: str | None) -> Attempt:
        """Record a connect as it comes in."""
        self.count += 1
        attempt = Attempt(self.count, now.unix, now.mono, *peer, consumer_key)
        self.log.append(attempt)
        return attempt

    def spend(self, account: str, now_mono_s: float) -> None:
        """Take one connect from the account's budget; refused ones count too, as with Twitter.

        Raises Refused (420) when there were too many.
        """
        recent = self._recent.setdefault(account, deque())
        while recent and recent[0] <= now_mono_s - self._window_s:
            recent.popleft()
        recent.append(now_mono_s)
        if self._connects and len(recent) > self._connects:
            raise Refused(420, f"Enhance your calm: {len(recent)} connects in {self._window_s:g} s")
