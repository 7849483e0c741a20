"""A key as the status shows it, without secrets."""

from __future__ import annotations

from typing import Any

from traptor.supervisor.apps.hold import HoldKind
from traptor.supervisor.apps.view import AppView
from traptor.supervisor.keys.conduct.states import KeyState, KeyStatus
from traptor.supervisor.status.times import wall


def of_key(key: KeyStatus, now: float, app: AppView | None = None) -> dict[str, Any]:
    """Return one key; under v2 its app knows whether X gives it more for money."""
    hold = app.hold() if app is not None else None
    is_broke = hold is not None and hold.kind is HoldKind.OUT_OF_CREDIT
    ends_at = hold.until if hold is not None and is_broke else wall(key.not_before, now)
    return {
        "key": key.name,
        "key_id": key.key_id,
        "state": KeyState.OUT_OF_CREDIT if is_broke else key.state,
        "lent": key.lent,
        "max_connections": key.max_connections,
        "budget_left": key.budget_left,
        "not_before": ends_at,
        "until": ends_at,
        "hindrance": key.hindrance,
        "reason": hold.text if hold is not None and is_broke else key.reason,
        "last_error": key.last_error,
        "failed_at": wall(key.failed_at, now),
        "last_used": wall(key.last_used_at, now),
        "source_address": key.source_address,
    }
