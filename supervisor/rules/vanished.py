"""Decide which parts of a look count when rules are missing without a hint that they would go.

An emptied or half-filled Redis must not end running streams. Rules that appear or change count at once, and
so does a rule that is present but switched off or no longer usable. Pure decisions.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from traptor.supervisor.rules.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Judgement:
    """The snapshot to use, and what to remember for the next look.

    `missing` are the keys of rules that were not seen and still count: they are gone if the next look misses
    them too. `suspect`: the look found no rules where there were some; nothing changes until a hint names the
    group.
    """

    snapshot: Snapshot
    missing: frozenset[str] = field(default=frozenset())
    suspect: bool = False


def judge(known: Snapshot | None, seen: Snapshot, last_missing: frozenset[str], hinted: bool) -> Judgement:
    """Decide what counts of the look `seen`, given the snapshot in use and the `last_missing` kept with it.

    A look requested by a hint (or the operator) counts fully. A suspect look is not one of the two that must
    agree.
    """
    if known is None or hinted or seen.rules is known.rules:  # the last case: a look that found nothing new
        return Judgement(seen)
    there = {rule.key for rule in seen.rules}
    there.update(seen.switched_off)
    there.update(rejected.key for rejected in seen.rejected)
    missing = frozenset(rule.key for rule in known.rules if rule.key not in there)
    if missing and not seen.rules:
        return Judgement(known, suspect=True)
    kept = missing - last_missing
    if not kept:
        return Judgement(seen)
    still_counting = (rule for rule in known.rules if rule.key in kept)
    return Judgement(seen.with_rules(still_counting), missing=kept)
