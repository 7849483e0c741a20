"""What of a sync's knowledge is kept in state_dir: a restart would otherwise try bad values again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from traptor.common.errors import TraptorError
from traptor.supervisor.filters.sync.standing import Gone, Refusal, Standing

_LATEST_EFFECT_S = 60.0
_LATEST_RETRY_S = 3_600.0


@dataclass(frozen=True, slots=True)
class _Dump:
    saved_at: float
    effect_at: dict[str, float]
    gone: dict[str, Gone]
    same_as: dict[str, str]
    refused: dict[str, Refusal]
    taken: tuple[str, ...]


def dump_standing(standing: Standing, now: float, wall_now: float) -> dict[str, Any]:
    """Return what is kept as JSON values, with wall-clock times."""
    by_s = wall_now - now
    dump = _Dump(
        saved_at=wall_now,
        effect_at={key: at + by_s for key, at in standing.effect_at.items()},
        gone={key: Gone(one.value, one.at + by_s) for key, one in standing.gone.items()},
        same_as=dict(standing.same_as),
        refused={value: Refusal(one.reason, one.until + by_s) for value, one in standing.refused.items()},
        taken=tuple(standing.taken),
    )
    return dict(msgspec.to_builtins(dump))


def load_standing(dump: Mapping[str, Any], now: float, wall_now: float) -> Standing:
    """Return what a dump knows; the filters themselves are listed anew. Raises TraptorError.

    Times beyond what this program sets are cut, so that a clock that was set back stops nothing for long.
    """
    try:
        saved = msgspec.convert(dict(dump), _Dump)
    except msgspec.ValidationError:
        raise TraptorError(
            "what is known of the filters at X cannot be read from state_dir; move state.db away to start"
            " without it (bad values are then tried once more)"
        ) from None
    by_s = now - max(wall_now, saved.saved_at)
    return Standing(
        effect_at={key: min(at + by_s, now + _LATEST_EFFECT_S) for key, at in saved.effect_at.items()},
        gone={key: Gone(one.value, min(one.at + by_s, now)) for key, one in saved.gone.items()},
        same_as=saved.same_as,
        refused={
            value: Refusal(one.reason, min(one.until + by_s, now + _LATEST_RETRY_S))
            for value, one in saved.refused.items()
        },
        taken=dict.fromkeys(saved.taken),
    )
