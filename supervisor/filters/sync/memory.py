"""What of a sync's knowledge is kept in state_dir: a restart would otherwise try bad values again.

It is kept in pieces by name, of which each change writes only those that it touches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from traptor.supervisor.filters.sync.standing import Gone, Refusal, Standing
from traptor.supervisor.state.kept import read_kept

Pieces = dict[str, Any]
"""JSON values by name; None: it is no longer there."""

_LATEST_EFFECT_S = 60.0
_LATEST_RETRY_S = 3_600.0
_SAVED_AT = "saved_at"
_KINDS: Mapping[str, Callable[[Any, float], Any]] = {  # each with what is kept of one, on the wall clock
    "effect_at": lambda at, by_s: at + by_s,
    "gone": lambda one, by_s: {"value": one.value, "at": one.at + by_s},
    "same_as": lambda filter_id, _: filter_id,
    "refused": lambda one, by_s: {"reason": one.reason, "until": one.until + by_s},
    "taken": lambda _nothing, _: True,
}
_MISSING = object()
_UNREADABLE = (
    "what is known of the filters at X cannot be read from state_dir; move state.db away to start without it"
    " (bad values are then tried once more)"
)


@dataclass(frozen=True, slots=True)
class _Saved:
    saved_at: float = 0.0
    effect_at: dict[str, float] = field(default_factory=dict)
    gone: dict[str, Gone] = field(default_factory=dict)
    same_as: dict[str, str] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)
    taken: dict[str, bool] = field(default_factory=dict)


def changed_pieces(before: Standing, standing: Standing, now: float, wall_now: float) -> Pieces:
    """Return what is to be saved where `before` is; nothing where that is the same."""
    by_s = wall_now - now
    pieces: Pieces = {}
    for kind, kept in _KINDS.items():
        old, new = getattr(before, kind), getattr(standing, kind)
        if old is new:
            continue
        for name in [name for name in old if name not in new]:
            pieces[f"{kind}/{name}"] = None
        for name in [name for name, one in new.items() if old.get(name, _MISSING) != one]:
            pieces[f"{kind}/{name}"] = kept(new[name], by_s)
    return {_SAVED_AT: wall_now, **pieces} if pieces else {}


def load_standing(pieces: Mapping[str, Any], now: float, wall_now: float) -> Standing:
    """Return what these pieces tell; the filters themselves are listed anew. Raises TraptorError.

    Times beyond what this program sets are cut, so that a clock that was set back stops nothing for long.
    """
    by_kind: dict[str, Any] = {kind: {} for kind in _KINDS}
    for name, piece in pieces.items():
        kind, slash, of_kind = name.partition("/")
        if slash and kind in by_kind:
            by_kind[kind][of_kind] = piece
    saved = read_kept(_Saved, {_SAVED_AT: pieces.get(_SAVED_AT, 0.0), **by_kind}, _UNREADABLE)
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
