"""Decide which rule goes to which part of a group, and in what order rules move between streaming parts.

Pure decisions. A part is one connection: part 1 of track:0 is `track:0`, part 2 is `track:0.2`. The limit of
a part counts distinct values; a rule is never split.

`assign` tells where each rule belongs. `hold` tells what each part should stream on the way there, so that a
streaming rule is never without a stream: it leaves its old part only once it streams in its new one. To keep
this possible at every step, `assign` never moves a rule to a part that could not carry it together with all
that streams there. So a part is held only by rules that grew in place and had to leave, and these go to parts
that are not held: circular waits cannot occur.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType

from traptor.common.placement.assignment import Assignment
from traptor.common.placement.draft import Draft
from traptor.common.rules.rule import GroupId, Rule

_NOTHING: Mapping[int, AbstractSet[str]] = MappingProxyType({})


def connection_name(group: GroupId, part: int) -> str:
    """Return the name of a part's connection: `follow:0`, then `follow:0.2`, `follow:0.3`."""
    return str(group) if part == 1 else f"{group}.{part}"


def assign(
    rules: Collection[Rule],
    limit: int,
    previous: Assignment | None = None,
    streaming: Mapping[int, AbstractSet[str]] = _NOTHING,
) -> Assignment:
    """Assign every rule to a part, changing as little of `previous` as possible; None is a cold start.

    `streaming` names, for each part, the keys of the rules that its generations stream or were forked with.
    Called again with the same rules, it may find that the highest part can go once others have settled.
    100,000 rules: 0.4 s when all are new, 0.2 s when some changed, 15 ms when none did.

    Raises ValueError when a rule alone has more values than `limit`.
    """
    values = {rule.key: rule.values for rule in rules}
    if previous is None:
        previous = Assignment(limit)
    elif previous.is_settled and previous.limit == limit and previous.values == values:
        return previous
    draft = Draft(values, limit, previous, streaming)
    draft.apply_changes()
    if limit < previous.limit:
        draft.shed()
    draft.recall()
    draft.place()
    draft.shrink()
    return Assignment.of(limit, draft.parts, values, settled=not draft.guests)


@dataclass(frozen=True, slots=True)
class Share:
    """The rules that a part should stream now, by key.

    `held_for` is not empty when the part cannot take its new rules yet: it keeps its generation until the
    parts named there stream the rules that wait for them.
    """

    keys: frozenset[str] = field(repr=False)
    held_for: tuple[int, ...] = ()


def hold(
    target: Assignment,
    streaming: Mapping[int, AbstractSet[str]],
    starting: Mapping[int, AbstractSet[str]] = _NOTHING,
) -> dict[int, Share]:
    """Return what each part should stream now; a part that is missing from the result is to be drained.

    `streaming` holds the rules that each part streams now, `starting` those of a generation that may take
    over from it. Call again whenever a generation starts or stops streaming, until every part streams its own
    rules. 100,000 rules: 30 ms.
    """
    lasting = {part: now & starting[part] if part in starting else now for part, now in streaming.items()}
    wanted = {}
    for part in sorted(target.members.keys() | streaming.keys()):
        own = target.members.get(part, frozenset())
        now = streaming.get(part, frozenset())
        left = now - own if now is not own else frozenset[str]()
        guests = {key: target.parts[key] for key in left if _needs_host(key, target, lasting)}
        if own or guests:
            wanted[part] = _wanted(target, own, now, guests)
    return wanted


def _needs_host(key: str, target: Assignment, lasting: Mapping[int, AbstractSet[str]]) -> bool:
    """Tell whether a rule still exists and does not yet stream, to stay, where it belongs."""
    part = target.parts.get(key)
    return part is not None and key not in lasting.get(part, ())


def _wanted(
    target: Assignment, own: frozenset[str], now: AbstractSet[str], guests: Mapping[str, int]
) -> Share:
    if not guests:
        return Share(own)
    keys = own | guests.keys()
    if target.distinct(keys) > target.limit:
        return Share(frozenset(now), tuple(sorted(set(guests.values()))))
    return Share(keys)
