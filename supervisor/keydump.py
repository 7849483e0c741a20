"""Key records as plain JSON values, with wall-clock times, for state_dir."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from traptor.common.errors import TraptorError
from traptor.supervisor.keyrecord import KeyRecord


@dataclass(frozen=True, slots=True)
class _Dump:
    saved_at: float
    keys: dict[str, KeyRecord]


def dump_records(records: Mapping[str, KeyRecord], now: float, wall_now: float) -> dict[str, Any]:
    """The records as JSON values; `now` is monotonic seconds, `wall_now` Unix time."""
    moved = {key_id: record.settled(now).moved(wall_now - now) for key_id, record in records.items()}
    plain: dict[str, Any] = msgspec.to_builtins(_Dump(wall_now, moved))
    return plain


def load_records(dump: Mapping[str, Any], now: float, wall_now: float) -> dict[str, KeyRecord]:
    """The records of a dump. Raises TraptorError when it is none.

    When the wall clock was set back meanwhile, no time has passed: rather wait too long than be locked out.
    """
    try:
        saved = msgspec.convert(dict(dump), _Dump)
    except msgspec.ValidationError as error:
        raise TraptorError(
            f"the key states kept in state_dir cannot be read: {error};"
            " move state.db away to start without them (Twitter may then find that a key connects too often)"
        ) from None
    passed_to = max(wall_now, saved.saved_at)
    return {key_id: record.moved(now - passed_to) for key_id, record in saved.keys.items()}
