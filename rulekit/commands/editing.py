"""`remove`, `move`, `history` and `undo`."""

from __future__ import annotations

from collections.abc import Iterable

import click
import redis

from traptor.common.errors import TraptorError
from traptor.common.rules.rule import GroupId
from traptor.common.terminal import report_console
from traptor.common.text import one_line
from traptor.rulekit.changes.change import ChangeKind, RuleChange, by_group, linked
from traptor.rulekit.changes.editing import chosen, removal
from traptor.rulekit.changes.editing import move as move_of
from traptor.rulekit.changes.holdings import Holdings, Stored
from traptor.rulekit.commands.parts.changing import Manner, Outcome, make_change
from traptor.rulekit.commands.parts.kit import (
    Where,
    a_group,
    a_place,
    force_option,
    json_option,
    kit_of,
    say_json,
    wait_option,
)
from traptor.rulekit.commands.parts.tables import table
from traptor.rulekit.keeping.changing import Steps
from traptor.rulekit.keeping.history import HistoryEntry, groups_with_history, read_history
from traptor.rulekit.keeping.undoing import undo as undo_steps

_MOST_NAMED = 5

dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")


class NoSuchRule(TraptorError):
    """A rule that was named does not exist."""


@click.command()
@click.argument("where", type=a_place, metavar="TYPE[:ID]")
@click.argument("rule_ids", nargs=-1, metavar="RULE_ID...")
@click.option("--all", "takes_all", is_flag=True, help="Remove all rules of the group.")
@dry_run_option
@wait_option
@json_option
@click.pass_context
def remove(
    ctx: click.Context,
    where: Where,
    rule_ids: tuple[str, ...],
    takes_all: bool,
    dry_run: bool,
    wait_s: float,
    as_json: bool,
) -> None:
    """Remove rules by their ids or keys."""

    def work_out(_client: redis.Redis, holdings: Holdings) -> Steps:
        return _steps(removal(_chosen(holdings, where, rule_ids, takes_all)))

    manner = Manner(f"remove {where} {_named(rule_ids, takes_all)}", wait_s, dry_run)
    steps = make_change(kit_of(ctx), where.type, manner, work_out)
    Outcome(steps, dry_run).show(as_json)


@click.command()
@click.argument("where", type=a_place, metavar="TYPE[:ID]")
@click.argument("rule_ids", nargs=-1, metavar="RULE_ID...")
@click.option("--to", "target_id", required=True, help="The id that they move to.")
@click.option("--all", "takes_all", is_flag=True, help="Move all rules of the group.")
@force_option
@dry_run_option
@wait_option
@json_option
@click.pass_context
def move(
    ctx: click.Context,
    where: Where,
    rule_ids: tuple[str, ...],
    target_id: str,
    takes_all: bool,
    force: bool,
    dry_run: bool,
    wait_s: float,
    as_json: bool,
) -> None:
    """Move rules to another id of their type.

    Both groups are written in one step.
    """
    try:
        target = GroupId.parse(f"{where.type}:{target_id}")
    except ValueError as error:
        raise click.UsageError(str(error)) from None

    def work_out(_client: redis.Redis, holdings: Holdings) -> Steps:
        taken = [*(rule.key for rule in holdings.rules), *(one.key for one in holdings.unusable)]
        try:
            edits = move_of(_chosen(holdings, where, rule_ids, takes_all), target, taken)
        except ValueError as error:
            raise NoSuchRule(f"{error}; nothing was changed") from None
        return _steps(edits, target)

    manner = Manner(f"move {where} {_named(rule_ids, takes_all)} to {target}", wait_s, dry_run, force)
    steps = make_change(kit_of(ctx), where.type, manner, work_out)
    Outcome(steps, dry_run).show(as_json)


@click.command()
@click.argument("where", type=a_place, metavar="TYPE[:ID]")
@click.option("-n", "most", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@json_option
@click.pass_context
def history(ctx: click.Context, where: Where, most: int, as_json: bool) -> None:
    """Show who changed rules, when and how, newest first."""
    with kit_of(ctx).redis() as client:
        groups = [where.group] if where.group else groups_with_history(client, where.type)
        entries = [entry for group in groups for entry in read_history(client, group, most)]
    entries = sorted(entries, key=lambda entry: entry.at, reverse=True)[:most]
    if as_json:
        say_json([_entry_json(entry) for entry in entries])
        return
    rows = [
        (
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            str(entry.group),
            entry.by,
            entry.command,
            *(str(entry.counts[kind]) for kind in ChangeKind),
        )
        for entry in entries
    ]
    report_console().print(table(("time (UTC)", "group", "by", "what", *map(str, ChangeKind)), rows))


@click.command()
@click.argument("group", type=a_group, metavar="TYPE:ID")
@click.option(
    "--force",
    is_flag=True,
    help="Take the change back although its rules were changed again since, or lost by Redis.",
)
@dry_run_option
@wait_option
@json_option
@click.pass_context
def undo(
    ctx: click.Context, group: GroupId, force: bool, dry_run: bool, wait_s: float, as_json: bool
) -> None:
    """Take the last change of a group back.

    If its command changed other groups too, as a load does, it is taken back in all of them. That is a change
    itself, so twice is as before.
    """

    def work_out(client: redis.Redis, holdings: Holdings) -> Steps:
        return undo_steps(client, group, {rule.key: rule.fields for rule in holdings.rules}, force)

    manner = Manner(f"undo {group}", wait_s, dry_run, force)
    steps = make_change(kit_of(ctx), group.type, manner, work_out)
    Outcome(steps, dry_run).show(as_json)


def _chosen(holdings: Holdings, where: Where, rule_ids: Iterable[str], takes_all: bool) -> list[Stored]:
    if where.group is not None:
        holdings = holdings.of([where.group])
    if takes_all:
        if where.group is None or list(rule_ids):
            raise click.UsageError("--all takes a group, such as track:0, and no rule ids")
        return list(holdings.rules)
    if not list(rule_ids):
        raise click.UsageError("name the rules by their ids, or say --all")
    found, missing = chosen(holdings, rule_ids)
    if missing:
        shown = ", ".join(missing[:_MOST_NAMED])
        raise NoSuchRule(f"no {where} rule has the id {one_line(shown)}; nothing was changed")
    return found


def _steps(edits: list[tuple[GroupId, RuleChange]], target: GroupId | None = None) -> Steps:
    changes = by_group(edits)
    moves = [] if target is None else [(change.group, target) for change in changes]
    return linked(changes, moves)


def _named(rule_ids: tuple[str, ...], takes_all: bool) -> str:
    if takes_all:
        return "all"
    more = f" and {len(rule_ids) - _MOST_NAMED} more" if len(rule_ids) > _MOST_NAMED else ""
    return ", ".join(rule_ids[:_MOST_NAMED])[:200] + more


def _entry_json(entry: HistoryEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "group": str(entry.group),
        "by": entry.by,
        "what": entry.command,
        "change": entry.change,
        "groups": [str(group) for group in entry.groups],
        **{str(kind): entry.counts[kind] for kind in ChangeKind},
        "rules": [past.key for past in entry.rules],
    }
