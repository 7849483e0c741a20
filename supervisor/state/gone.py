"""Forget what is kept of keys that left the pool long ago."""

from __future__ import annotations

import logging
from collections.abc import Container

from traptor.common.errors import TraptorError
from traptor.common.logs.event import fields
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.keys.records import KeyRecords
from traptor.supervisor.state.store import StateStore

log = logging.getLogger(__name__)

# A key that returns within its billing month must find what was spent in it.
_LEAST_S = 32 * 86_400.0


def forget_gone_keys(
    store: StateStore, records: KeyRecords, known: Container[str], keep_s: float, now: Instant
) -> None:
    """Forget keys that have not been `known` for `keep_s`, unless they may not connect even now."""
    try:
        gone = store.note_gone(known, records.strangers(known), now.wall)
        until = now.wall - max(keep_s, _LEAST_S)
        over = [
            key_id for key_id, since in gone.items() if since <= until and records.is_free(key_id, now.mono)
        ]
        if over:
            store.forget_keys(over)
            records.forget(over)
            log.info("keys that are gone for long are forgotten", extra=fields(keys=",".join(sorted(over))))
    except TraptorError as error:
        log.warning("keys that are gone are not forgotten", extra=fields(error=str(error)))
