"""Phrases about a status, the same at the terminal and on the page. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from traptor.common.text import counted
from traptor.supervisor.status.terms import number, since, size
from traptor.supervisor.workers.leftovers import other_connection

Json = Mapping[str, Any]

_MOST_NAMED = 5


def summary(status: Json) -> str:
    """Return the sentence that sums a status up."""
    wanted = [one for one in status["connections"] if one["state"] != "QUIET"]
    collecting = sum(one["collecting"] for one in wanted)
    rates = [one["tweets_per_second"] for one in wanted if one["collecting"]]
    known = [rate for rate in rates if rate is not None]
    rate = f" {sum(known):.1f} tweets/s," if known or not rates else ""
    ending = ", stopping" if status["stopping"] else ""
    return (
        f"traptor-supervisor {status['version']}, pid {status['pid']}{ending}:"
        f" {collecting} of {counted(len(wanted), 'connection')} collecting,"
        f"{rate} {counted(len(status['keys']), 'key')}"
    )


def problem_lines(problems: Sequence[Json]) -> list[tuple[Json, str]]:
    """Return each problem that stands alone, and a line on those of the same cause; "": there are none."""
    return [
        (one, _others([other["subject"] for other in problems if other["beneath"] == place]))
        for place, one in enumerate(problems)
        if one["beneath"] is None
    ]


def _others(subjects: Sequence[str]) -> str:
    if not subjects:
        return ""
    more = len(subjects) - _MOST_NAMED
    named = [*subjects[:_MOST_NAMED], *([f"{more} more"] if more > 0 else [])]
    return f"of the same cause: {'; '.join(named)}"


def state_words(one: Json) -> tuple[str, str]:
    """Return a connection's state and its tone; one that should stream and does not is never a plain UP."""
    if one["collecting"]:
        beside = f", with {other_connection(one['connection'])}" if one.get("covered") else ""
        return f"collecting{beside}", "good"
    if _is_away(one):
        return f"away, {other_connection(one['connection'])} streams alone", "worried"
    match one["state"]:
        case "QUIET":
            return "no rules", "idle"
        case "STOPPED":
            return "stopped", "idle"
        case "UP":
            return "NOT COLLECTING", "bad"
        case state:
            return f"NOT COLLECTING ({state.lower().replace('_', ' ')})", "bad"


def _is_away(one: Json) -> bool:
    """Tell whether it has no stream while the other connection of its app has one."""
    if not one.get("covered") or one["state"] in ("QUIET", "STOPPED"):
        return False
    # Imported here: few commands get this far, and what it brings takes half of their start.
    from traptor.supervisor.connections.waits import WaitKind

    wait = one.get("wait")
    # That one streams, and finds nothing.
    return wait is None or wait["kind"] not in (WaitKind.ACTS_SOON, WaitKind.EFFECT)


def trial_state(status: Json) -> str:
    """Return what became of the posts for the trial output; "": there is none."""
    trial = status.get("trial")
    if trial is None:
        return ""
    counts: Counter[str] = Counter()
    for one in status["connections"]:
        counts.update(one["total"].get("trial", {}))
    delivered = counts["delivered"] + counts["redelivered"]
    rejected = f", {number(counts['dead_letters'])} rejected" if counts["dead_letters"] else ""
    oldest = f" (the oldest for {since(trial['oldest'])})" if trial["oldest"] is not None else ""
    return (
        f"trial {trial['name']} {trial['state']}: {number(delivered)} delivered,"
        f" {number(counts['dropped'])} dropped{rejected}, {number(trial['messages'])} waiting{oldest}"
    )


def left_messages(left: Json) -> str:
    """Return what dead generations left in a connection's outboxes; "": no messages."""
    parts = [counted(left["messages"], "message")] if left["messages"] else []
    if not parts and left["bytes"]:  # a version before this one did not count them
        parts = ["messages"]
    if left["bytes"]:
        parts[-1] += f" ({size(left['bytes'])})"
    parts += [f"{counted(left['trial'], 'post')} for the trial"] if left["trial"] else []
    return " and ".join(parts)


def ownerless(status: Json) -> str:
    """Return what waits in outboxes that no worker has, by connection; "": nothing."""
    left = [f"{what} of {one['connection']}" for one in status["ownerless"] if (what := left_messages(one))]
    more = len(left) - _MOST_NAMED
    named = [*left[:_MOST_NAMED], *([f"{counted(more, 'connection')} more"] if more > 0 else [])]
    return f"In outboxes that no worker has: {', '.join(named)}" if left else ""


def app_state(app: Json) -> str:
    """Return what an app at X does: it reads, or why it does not."""
    if app["hold"] is not None:
        return f"{app['hold']}: {app['hold_why']}"
    in_effect, rules = app["rules_in_effect"], app["rules"]
    if in_effect == rules:
        return "all rules in effect"
    counts = (
        (app.get("pending", rules - in_effect), "not yet"),  # a supervisor of before tells only these two
        (app.get("rejected"), "rejected"),
        (app.get("waiting"), "without room"),
    )
    others = [f"{number(count)} {what}" for count, what in counts if count]
    return ", ".join((f"{number(in_effect)} of {counted(rules, 'rule')} in effect", *others))


def rules_of(one: Json) -> str:
    """Return how many rules a connection has, or of how many it collects some: `1 of 3`."""
    missing = one.get("uncollected", 0) if one["collecting"] else 0
    return (
        number(one["rules"]) if not missing else f"{number(one['rules'] - missing)} of {number(one['rules'])}"
    )


def app_filters(app: Json) -> str:
    """Return how many filters stand in an app: `852 of 1,000 (500 packed)`."""
    filters = app["filters"]
    packed = f" ({number(filters['packed'])} packed)" if filters["packed"] else ""
    return f"{number(filters['standing'])} of {number(filters['allowed'])}{packed}"
