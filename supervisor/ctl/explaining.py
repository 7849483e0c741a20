"""The commands that explain: `explain`, and `plan`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from traptor.common.text import counted
from traptor.supervisor.ctl.completion import connection_names
from traptor.supervisor.ctl.printing.tables import as_json, print_json, print_line
from traptor.supervisor.ctl.target import Target, pass_target
from traptor.supervisor.status.phrases import rules_of
from traptor.supervisor.status.terms import age, local_time, number, since

Json = Mapping[str, Any]

_SHOWN_GAPS = 10


@click.command()
@click.argument(
    "what", nargs=-1, required=True, metavar="CONNECTION | rule RULE_ID", shell_complete=connection_names
)
@as_json
@pass_target
def explain(target: Target, what: tuple[str, ...], as_json: bool) -> None:
    """Tell about one connection, one group, or one rule.

    `explain track:0`, `explain rule 17`: where it is, since when, its gaps of the last day, its last match.
    """
    match what:
        case ("rule", rule):
            answer = target.client.get("explain", rule=rule)
            lines = _about_rules(answer)
        case (connection,):
            answer = target.client.get("explain", of=connection)
            lines = _about(connection, answer)
        case _:
            raise click.UsageError("name a connection, such as `explain track:0`, or `explain rule 17`")
    if as_json:
        print_json(answer)
        return
    for line in lines:
        print_line(line)


@click.command()
@as_json
@pass_target
def plan(target: Target, as_json: bool) -> None:
    """Show what a reload would change, before it is made."""
    foreseen = target.client.get("plan")
    if as_json:
        print_json(foreseen)
        return
    for line in _foreseen_lines(foreseen):
        print_line(line)


def _foreseen_lines(foreseen: Json) -> Iterator[str]:
    """Yield what a reload would change: nothing, or a line for each kind of thing."""
    for reason in foreseen["refused"]:
        yield f"refused: {reason}"
    words = {"live": "apply at once", "refresh": "replace workers", "restart": "need a restart"}
    changes = False
    for kind, options in foreseen["options"].items():
        if options:
            changes = True
            yield f"options that {words[kind]}: {', '.join(options)}"
    for what, names in foreseen["keys"].items():
        if names:
            changes = True
            yield f"{counted(len(names), 'key')} {what}: {', '.join(names)}"
    for one in foreseen["connections"]:
        changes = True
        yield f"{one['connection']} {one['effect']}: {one['why']}"
    for group in foreseen["suspect"]:
        yield f"{group}: its rules vanished from Redis and stream on; `reload --accept-empty` lets them go"
    for warning in foreseen["warnings"]:
        yield f"warning: {warning}"
    if not changes and not foreseen["refused"]:
        yield "nothing differs from what runs"


def _about(name: str, answer: Json) -> Iterator[str]:
    """Yield what there is about a connection, or about a group and the connection that carries it."""
    carriers = answer.get("carriers")
    if not carriers:
        yield from _about_connection(name, answer)
        return
    yield f"{name} is a group of {' and '.join(carriers)}{_of_group(answer['group'])}"
    yield from _about_connection(carriers[0], answer)


def _of_group(group: Json | None) -> str:
    if group is None:
        return ""
    why = f"; its heartbeat is withheld: {group['heartbeat_why']}" if group["heartbeat_why"] else ""
    rejected = f", {number(group['rejected'])} more invalid" if group["rejected"] else ""
    return f": {counted(group['rules'], 'rule')}{rejected}{why}"


def _about_connection(name: str, answer: Json) -> Iterator[str]:
    one = answer["connection"]
    if one is None:
        yield f"{name}: there was such a connection; it is no longer planned"
    else:
        yield _problem_of(answer) or f"{name}: {_stands(one)}"
        yield from _generation_lines(one)
        total = one["total"]
        yield (
            f"  received {number(total['received'])}, matched {number(total['matched'])},"
            f" delivered {number(total['delivered'])}; in the outbox {number(one['outbox']['messages'])}"
        )
    yield from _gap_lines(answer["gaps"])


def _about_rules(answer: Json) -> Iterator[str]:
    gaps: dict[str, list[Json]] = {}
    for gap in answer["gaps"]:
        gaps.setdefault(gap["rule"], []).append(gap)
    for rule in answer["rules"]:
        yield from _about_rule(rule, gaps.pop(rule["rule"], []))
    if not answer["rules"] and not gaps:
        yield "there is no such rule now; there was one"
    for name, its in gaps.items():
        yield f"{name}: there is no such rule now; there was one"
        yield from _gap_lines(its)


def _about_rule(rule: Json, gaps: Sequence[Json]) -> Iterator[str]:
    yield f"{rule['rule']}: {_carried(rule)}"
    if (problem := _problem_of(rule)) is not None:
        yield f"  {problem}"
    if rule["rejected"] is None:
        yield f"  {_last_match(rule)}"
    if rule["rejected"] is None or gaps:
        yield from _gap_lines(gaps)


def _problem_of(told: Json) -> str | None:
    """Return the sentence of the problem; a supervisor that was started before an upgrade tells none."""
    sentence: str | None = told.get("problem")
    return sentence


def _carried(rule: Json) -> str:
    if rule["rejected"] is not None:
        return f"NOT COLLECTED: {rule['rejected']}"
    if (reason := rule.get("no_filter")) is not None:
        return f"NOT COLLECTED: no filter at X: {reason}"
    if rule["connection"] is None:
        return "NOT COLLECTED: no connection carries it; see `status`"
    carrier = rule["carrier"]
    if rule["collected"]:
        return f"collected by {rule['connection']} {_for(carrier)}".rstrip()
    if carrier is not None and carrier["collecting"]:
        return f"NOT COLLECTED yet: {rule['connection']} is to carry it, and collects other rules"
    says_more = carrier is not None and _problem_of(rule) is None
    stands = f" ({_stands(carrier)})" if says_more else ""
    return f"NOT COLLECTED: {rule['connection']} is to carry it{stands}"


def _last_match(rule: Json) -> str:
    if not rule["matches_known"]:
        return "when it matched last is not known: Redis does not answer"
    at = rule["last_match"]
    if at is None:
        return "no match in the last 15 minutes"
    return f"last match {local_time(at)} ({since(at)} ago)"


def _stands(one: Json) -> str:
    if one["collecting"]:
        some = f"{rules_of(one)} rules" if one.get("uncollected") else counted(one["rules"], "rule")
        return f"collecting {some} {_for(one)}".rstrip()
    wait = one.get("wait") or {"why": one["waits_for"] or one["state"].lower(), "until": one["waits_until"]}
    why, until = wait["why"], f", until {local_time(wait['until'])}" if wait["until"] else ""
    return f"NOT COLLECTING {counted(one['rules'], 'rule')} {_for(one)}: {why}{until}"


def _for(one: Json | None) -> str:
    return "" if one is None or one["since"] is None else f"for {since(one['since'])}"


def _generation_lines(one: Json) -> Iterator[str]:
    for role in ("serving", "successor"):
        g = one[role]
        if g is not None:
            key = f", key {g['key']}" if g["key"] else ""
            address = f", from {g['source_address']}" if g["source_address"] else ""
            state = g["state"].lower()
            yield f"  {role}: generation {g['generation']}, pid {g['pid']}, {state}{key}{address}"


def _gap_lines(gaps: Sequence[Json]) -> Iterator[str]:
    if not gaps:
        yield "  no gaps in the last 24 h"
        return
    total = sum(gap["seconds"] for gap in gaps)
    yield f"  {counted(len(gaps), 'gap')} in the last 24 h, {age(total)} in all; the latest:"
    for gap in gaps[-_SHOWN_GAPS:]:
        ends = "now" if gap["open"] else local_time(gap["to_unix"])
        yield (
            f"    {local_time(gap['from_unix'])} to {ends}, {age(gap['seconds'])}:"
            f" {gap['cause'] or gap['kind']}"
        )


COMMANDS = (explain, plan)
