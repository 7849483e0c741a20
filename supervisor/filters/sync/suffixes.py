"""Find the suffixes that X takes with no clause: an operator's slip there would cost every filter. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from traptor.supervisor.filters.sync.goal import suffix_of
from traptor.supervisor.filters.sync.standing import Standing

TRIES = 3  # filters with a suffix that X refuses in a row, until the suffix is taken for the cause


def wrong_suffixes(
    refused: Mapping[str, str], standing: Standing, clauses: Mapping[str, int]
) -> dict[str, str]:
    """Return the suffixes with which X refused the first filters and took none, with a reason.

    `refused` has the reasons by value; `clauses` counts those that are wanted with a suffix, where there may
    be fewer than are tried.
    """
    reasons: dict[str, list[str]] = {}
    for value, reason in refused.items():
        if suffix := suffix_of(value):
            reasons.setdefault(suffix, []).append(reason)
    wrong = {one: why[0] for one, why in reasons.items() if len(why) >= min(TRIES, clauses.get(one, TRIES))}
    taken = {suffix_of(one.value) for one in standing.as_written.values()} if wrong else set[str]()
    return {one: f"[traptor] suffix `{one}`: {why}" for one, why in wrong.items() if one not in taken}
