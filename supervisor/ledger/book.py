"""The gap ledger in memory: what every connection did, second by second, and which rules it carried.

It holds timelines and what is not written yet; `ledger.writer` brings that to disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from traptor.common.files.mark import read_mark
from traptor.common.files.outboxes import generation_folders
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.gaps.interval import Instant, Interval, IntervalKind, Totals
from traptor.supervisor.gaps.timeline import GapTracker
from traptor.supervisor.ledger.fills import Choose, FillBook
from traptor.supervisor.ledger.gaplog import GapLog
from traptor.supervisor.ledger.membership import Membership, carried_by, is_told, named_in_entries
from traptor.supervisor.ledger.pending import Pending
from traptor.supervisor.ledger.records import (
    KNOWN,
    NOTHING,
    Carried,
    Entry,
    Inheritance,
    LastKnown,
    Unwritten,
)
from traptor.supervisor.ledger.resume import Shift, Streamed, moved, resume
from traptor.supervisor.rules.snapshot import Snapshot
from traptor.supervisor.workers.leftovers import is_app_connection, is_second, second_connection


@dataclass
class _Page:
    """The data kept of a connection besides its timeline."""

    began: Instant
    safe_until: Instant  # time up to which its streams' data is safe; in a gap, when that was last noted
    carried: Carried = NOTHING
    limited: int = 0  # as counted at its last entry


class Ledger:
    """The timelines of all connections, and the part of them that is not on disk yet.

    `on_entry` is called for each completed interval, `on_handover` when a stream continues in another
    generation: both should reach the disk soon. `choose` tells by which method a gap is filled, if by any.
    """

    def __init__(
        self,
        connections: Mapping[str, Connection],
        stored: Inheritance | None,
        outboxes: Path,
        boot: str,
        now: Instant,
        on_entry: Callable[[Entry], None],
        on_handover: Callable[[], object],
        choose: Choose = lambda _entry: None,
    ) -> None:
        self.fills = FillBook(stored.fills if stored is not None else None, choose)
        self.pending = Pending()
        self._connections = connections
        self._boot = boot
        self._on_entry = on_entry
        self._on_handover = on_handover
        self._timelines: dict[str, GapTracker] = {}
        self._pages: dict[str, _Page] = {}
        self._last_id = stored.last_id if stored else 0
        self._membership = Membership(stored.places if stored else ())
        self._gap_log = GapLog()
        if stored is not None:
            with self._gap_log.at_once():
                self._resume(stored, outboxes, now)

    # ---- events

    def timeline(self, name: str, at: Instant) -> GapTracker:
        """Return the connection's timeline; that of a new connection begins now."""
        if name not in self._timelines:
            self._pages[name] = _Page(began=at, safe_until=at)
            self._timelines[name] = GapTracker(name, at, self._take, partial(self._hand_over, name))
            self.pending.changed([name])
        return self._timelines[name]

    def look(self, known: Iterable[Snapshot], at: Instant) -> None:
        """Record what each connection carries; `known` are all groups, once Redis was read the first time.

        A connection of an earlier master that is no longer planned counts as unplanned from here on.
        """
        groups = {KNOWN + str(snapshot.group): snapshot for snapshot in known}
        for place, snapshot in groups.items():
            self.pending.placed(self._membership.look(place, snapshot.fingerprint, snapshot.rules, at.wall))
        gone = {*self._timelines, *self._membership.places} - groups.keys()
        self.look_at(sorted(gone | self._connections.keys()), at)

    def look_at(self, names: Iterable[str], at: Instant) -> None:
        """Record what these connections carry now; some of them may no longer exist."""
        for name in names:
            if is_second(name):
                continue  # it shares the timeline of the first, and carries the same rules
            if (c := self._connections.get(name)) is None:
                self._close(name, at)
                continue
            if (named := named_in_entries(c)) != self._pages[name].carried:
                self._pages[name].carried = named
                self.pending.changed([name])
            if is_told(c):
                carried, rules = carried_by(c)
                self.pending.placed(self._membership.look(name, carried.rules, rules, at.wall))

    def note(self) -> None:
        """Have the next batch say of all that nothing happened: that dates what a dying master leaves."""
        self.pending.changed(self._timelines)

    def shut_down(self, at: Instant) -> None:
        """Close the timelines for an orderly stop of the master."""
        with self._gap_log.at_once():
            for timeline in self._timelines.values():
                timeline.shut_down(at)
        self.note()

    def forget(self, before: float) -> None:
        """Forget connections that have been unplanned since before that Unix time, and gaps to be filled."""
        self.fills.forget(before)
        for name, timeline in list(self._timelines.items()):
            standing = timeline.standing
            is_old = standing.kind is IntervalKind.UNPLANNED and standing.open_from.wall < before
            if is_old and name not in self._connections:
                del self._timelines[name], self._pages[name]
                self.pending.forget(name)

    def unplanned(self) -> Iterator[tuple[str, Instant]]:
        """Yield each connection that has nothing to stream, and since when, across restarts."""
        for name, timeline in self._timelines.items():
            if timeline.kind is IntervalKind.UNPLANNED:
                yield name, timeline.standing.open_from

    # ---- writing

    def batch(self, at: Instant, *, is_clean: bool = False) -> Unwritten:
        """Return what is not on disk yet: of connections, those with news, or all once noted."""
        names = sorted(self.pending.take_changed() & self._timelines.keys())
        for name in names:
            self._date(name, at)
        return Unwritten(
            at,
            self._boot,
            is_clean,
            self.pending.forgotten,
            self.pending.entries,
            self.pending.placements,
            self.pending.differing(map(self._account, names)),
            self.fills.news(),
        )

    def written(self, batch: Unwritten) -> None:
        """Record that the batch is on disk now."""
        self.pending.written(batch)
        self.fills.written(batch.fills)

    # ---- answers

    def open_entries(self, now: Instant) -> Iterator[Entry]:
        """Yield the current interval of every connection."""
        for name, timeline in sorted(self._timelines.items()):
            page = self._pages[name]
            yield Entry.of(timeline.open(now), page.carried, self._newly_limited(name))

    def sums(self, now: Instant) -> Iterator[tuple[str, Instant, Totals]]:
        """Yield, for every connection, its name, when it began, and its sums until now."""
        for name, timeline in sorted(self._timelines.items()):
            yield name, self._pages[name].began, timeline.totals(now)

    # ---- steps

    def _resume(self, stored: Inheritance, outboxes: Path, now: Instant) -> None:
        shift = Shift.of(stored, self._boot, now)
        for account in (moved(account, shift) for account in stored.accounts):
            name = account.connection
            second = [second_connection(name)] if is_app_connection(name) else []
            marks = [
                Streamed.of(int(folder.name), mark, shift, "" if one == name else one)
                for one in (name, *second)
                for folder in generation_folders(outboxes / one)
                if (mark := read_mark(folder))
            ]
            self._pages[name] = _Page(account.began, account.safe_until, account.carried)
            self._timelines[name] = resume(
                account,
                stored.totals.get(name, Totals()),
                marks,
                is_clean=stored.is_clean,
                now=now,
                take=self._take,
                on_handover=partial(self._hand_over, name),
            )
        self.note()

    def _take(self, interval: Interval) -> None:
        page = self._pages[interval.connection]
        self._last_id += 1
        entry = Entry.of(interval, page.carried, self._newly_limited(interval.connection), self._last_id)
        page.limited = self._limited(interval.connection)
        self.pending.completed(entry)
        self.pending.changed([interval.connection])
        self.fills.take(entry)
        self._on_entry(entry)
        self._gap_log.take(interval)

    def _hand_over(self, name: str) -> None:
        self.pending.changed([name])
        self._on_handover()

    def _close(self, name: str, at: Instant) -> None:
        """Close a connection, or a group's place, that no longer exists."""
        if name in self._membership.places:
            self.pending.placed(self._membership.empty(name, at.wall))
        if name in self._timelines:
            self._pages[name].carried, self._pages[name].limited = NOTHING, 0
            self.pending.changed([name])
            self._timelines[name].unplanned(at)

    def _limited(self, name: str) -> int:
        """Return the connection's withheld tweets; counted anew for a new Connection of the same name."""
        c = self._connections.get(name)
        return c.counters().limited if c is not None else 0

    def _newly_limited(self, name: str) -> int:
        """Return how many tweets were withheld since the connection's last entry."""
        return max(0, self._limited(name) - self._pages[name].limited)

    def _last_sign(self, name: str, now: Instant) -> Instant | None:
        both = (self._connections.get(name), self._connections.get(second_connection(name)))
        streaming = [g for c in both if c is not None for g in c.generations if g.streaming_since is not None]
        if not streaming:
            return None
        sign = max(g.safe_until for g in streaming)
        return Instant(now.wall - (now.mono - sign), sign)

    def _date(self, name: str, at: Instant) -> None:
        """Record that nothing happened to a connection until now, or until its last sign of life."""
        page, timeline = self._pages[name], self._timelines[name]
        sign = self._last_sign(name, at) if timeline.kind is IntervalKind.STREAMING else at
        if timeline.is_planned and sign is not None and sign.mono > page.safe_until.mono:
            page.safe_until = sign

    def _account(self, name: str) -> LastKnown:
        page = self._pages[name]
        return LastKnown(name, page.began, self._timelines[name].standing, page.safe_until, page.carried)
