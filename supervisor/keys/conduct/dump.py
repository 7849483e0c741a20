"""Save key records as plain JSON values, with wall-clock times, for state_dir."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from traptor.common.errors import TraptorError
from traptor.common.text import printable
from traptor.supervisor.keys.conduct.record import KeyRecord

_LAST_S = 253_402_300_799.0  # end of the year 9999: later than any clock
_LONGEST_REST_S = 2 * 366 * 86_400.0  # no option allows more than half of it
_MOST = 1 << 31
_SHOWN_CHARS = 20
_DRIFT_S = 0.01


@dataclass(frozen=True, slots=True)
class _Dump:
    saved_at: float
    keys: dict[str, KeyRecord]


@dataclass(frozen=True, slots=True)
class _Made:
    """A record of the pool in the form of the dump; `lasts`: time alone does not change that."""

    record: KeyRecord
    lasts: bool
    plain: dict[str, Any]


class RecordDump:
    """Makes dumps of key records: every connect needs one, and few records change in between."""

    def __init__(self) -> None:
        self._made: dict[str, _Made] = {}
        self._by_s = 0.0  # how far the wall clock was ahead of the monotonic one

    def of(self, records: Mapping[str, KeyRecord], now: float, wall_now: float) -> dict[str, Any]:
        """Return the records as JSON values; `now` is monotonic seconds, `wall_now` Unix time.

        Of unchanged records the values are the same objects. Their wall-clock times may be off by as much as
        the wall clock was set since they were made, at most _DRIFT_S.
        """
        if abs(wall_now - now - self._by_s) > _DRIFT_S:
            self._by_s, self._made = wall_now - now, {}
        before, self._made = self._made, {}
        for key_id, record in records.items():
            made = before.get(key_id)
            if made is None or made.record is not record or not made.lasts:
                made = self._renewed(made, record, record.settled(now))
            self._made[key_id] = made
        return {"saved_at": wall_now, "keys": {key_id: made.plain for key_id, made in self._made.items()}}

    def _renewed(self, before: _Made | None, record: KeyRecord, settled: KeyRecord) -> _Made:
        if before is not None and before.record is record is settled:
            return before
        return _Made(record, settled.is_settled, msgspec.to_builtins(settled.moved(self._by_s)))


def load_records(dump: Mapping[str, Any], now: float, wall_now: float) -> dict[str, KeyRecord]:
    """Return the records of a dump. Raises TraptorError when it is not a dump.

    When the wall clock was set back meanwhile, no time counts as passed: waiting too long is better than
    being locked out.
    """
    try:
        saved = msgspec.convert(dict(dump), _Dump)
    except msgspec.ValidationError as error:
        # Its text may quote whatever stands at the place that it names.
        _, at, place = str(error).rpartition(" - at ")
        raise _unreadable(f"a wrong value{at}{place if at else ''}") from None
    for key_id, record in saved.keys.items():
        if not _is_plausible(record, saved.saved_at):
            raise _unreadable(f"the times or counts of key {printable(key_id[:_SHOWN_CHARS])} cannot be true")
    passed_to = max(wall_now, saved.saved_at)
    return {key_id: record.moved(now - passed_to) for key_id, record in saved.keys.items()}


def _is_plausible(record: KeyRecord, saved_at: float) -> bool:
    """Tell whether the record was possible at `saved_at`; if not, a key might rest or connect for ever."""
    backoff = record.backoff
    past = (*record.budget.connects, *record.open_since, record.failed_at, record.last_used_at)
    rests = (backoff.until, record.quarantine_until)
    counts = (
        backoff.network,
        backoff.http,
        backoff.rate_limited,
        backoff.closed,
        record.quarantine_level,
        record.overlap_refusals,
    )
    return (
        0 <= saved_at <= _LAST_S
        and all(at is None or 0 <= at <= saved_at + 1 for at in past)
        and all(at is None or 0 <= at <= saved_at + _LONGEST_REST_S for at in rests)
        and all(0 <= count < _MOST for count in counts)
    )


def _unreadable(why: str) -> TraptorError:
    return TraptorError(
        f"the key states kept in state_dir cannot be read: {why};"
        " move state.db away to start without them (Twitter may then find that a key connects too often)"
    )
