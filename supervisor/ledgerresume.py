"""How the ledger goes on over the time in which no master ran: pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from traptor.supervisor.gaps import GapTracker, Take
from traptor.supervisor.intervals import GapCause, Instant, IntervalKind, Totals
from traptor.supervisor.ledgerbatch import Account, Stored


@dataclass(frozen=True, slots=True)
class Shift:
    """Brings the monotonic times of a predecessor to this boot's clock.

    Within one boot CLOCK_MONOTONIC goes on over a restart of the master. Over a reboot the wall clock says
    how long nothing ran, if it says anything sensible.
    """

    seconds: float

    @classmethod
    def of(cls, stored: Stored, boot: str, now: Instant) -> Shift:
        """From the clock of `stored` to that of `now`."""
        if stored.boot == boot and stored.noted.mono <= now.mono:
            return cls(0.0)
        down_s = max(0.0, now.wall - stored.noted.wall)
        return cls(now.mono - down_s - stored.noted.mono)

    def __call__(self, at: Instant) -> Instant:
        """The same moment on this boot's clock."""
        return Instant(at.wall, at.mono + self.seconds)


def moved(account: Account, shift: Shift) -> Account:
    """The account with this boot's times."""
    standing = replace(account.standing, open_from=shift(account.standing.open_from))
    return replace(account, began=shift(account.began), standing=standing, safe=shift(account.safe))


def resume(
    account: Account, totals: Totals, mark: Instant | None, *, is_clean: bool, now: Instant, take: Take
) -> GapTracker:
    """The timeline of a connection, gone on with at `now`; all times are of this boot's clock.

    After a clean stop what was open stays open. Else a connection that was wanted is in a gap, `master_down`,
    since the last moment for which its stream is known to be safe, or the ledger was written.
    """
    tracker = GapTracker.resumed(account.connection, account.standing, totals, take)
    if is_clean and tracker.kind is not IntervalKind.STREAMING:
        return tracker
    safe = account.safe if mark is None or mark.mono < account.safe.mono else mark
    at = safe if safe.mono < now.mono else now
    if tracker.kind is IntervalKind.STREAMING:
        assert account.standing.generation is not None
        tracker.stopped(account.standing.generation, GapCause.MASTER_DOWN, at)
    else:
        tracker.cause_changed(GapCause.MASTER_DOWN, at)
    return tracker
