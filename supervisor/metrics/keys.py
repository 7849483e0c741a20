"""Metrics of the keys. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from traptor.supervisor.keys.conduct.states import KeyState
from traptor.supervisor.metrics.family import Family, Json, gauge


def of_keys(status: Json) -> Iterator[Family]:
    """Yield the states of the keys."""
    keys = status["keys"]
    states = Counter(key["state"] for key in keys)
    spare = sum(key["state"] == KeyState.OK and not key["lent"] for key in keys)
    yield gauge("keys", "Keys by state.", ("state",), (((state,), states[state]) for state in KeyState))
    yield gauge("keys_spare", "Keys that are good and not in use.", (), [((), spare)])
    yield gauge(
        "key_state",
        "1 for the state that the key is in.",
        ("key", "state"),
        (((key["key"], state), key["state"] == state) for key in keys for state in KeyState),
    )
    yield gauge(
        "key_budget_left",
        "Connects that the key has left.",
        ("key",),
        (((key["key"],), key["budget_left"]) for key in keys),
    )
    yield gauge(
        "key_not_before_timestamp_seconds",
        "When the key may connect again; absent if it may now.",
        ("key",),
        (((key["key"],), key["not_before"]) for key in keys),
    )
