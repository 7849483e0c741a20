"""`load`, `diff` and `add`: from a source, or from the command line, to Redis."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click
import redis

from traptor.common.errors import TraptorError
from traptor.common.rules.rule import GroupId, RuleType
from traptor.common.terminal import report_console, say
from traptor.rulekit.changes.holdings import Holdings
from traptor.rulekit.changes.loading import LoadPlan, LoadTarget, plan_load
from traptor.rulekit.changes.wanted import Collected
from traptor.rulekit.commands.parts.changing import Manner, Outcome, list_changes, make_change
from traptor.rulekit.commands.parts.given import BadRows, Given, collect, given_of, settle_bad, source_options
from traptor.rulekit.commands.parts.kit import (
    Kit,
    a_type,
    force_option,
    json_option,
    kit_of,
    wait_option,
)
from traptor.rulekit.commands.parts.naming import Naming
from traptor.rulekit.commands.parts.spending import key_option, yes_option
from traptor.rulekit.keeping.changing import Steps
from traptor.rulekit.lookups.names import names_in
from traptor.rulekit.sources.row import BadRow, Row


class NothingWanted(TraptorError):
    """A source without rules, which is more likely broken than meant, is to replace all rules."""


id_option = click.option(
    "--id", "group_id", help="Put all rules into this id, instead of spreading them over as few as needed."
)
replace_option = click.option(
    "--replace",
    is_flag=True,
    help="Also remove rules that are not in the source, from --id or all numbered ids.",
)


@click.command()
@source_options
@id_option
@replace_option
@key_option
@yes_option
@click.option("--allow-empty", is_flag=True, help="Believe a source without any rule, with --replace.")
@force_option
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@wait_option
@json_option
@click.pass_context
def load(
    ctx: click.Context,
    /,
    as_json: bool,
    wait_s: float,
    dry_run: bool,
    force: bool,
    allow_empty: bool,
    **options: Any,
) -> None:
    """Load rules from a file or a database.

    Rules go to as few ids as their limit needs; those that are there already stay where they are. Loading
    the same source again changes nothing and publishes nothing.
    """
    given = given_of(options)
    kit = kit_of(ctx)
    collected = gathered(given, kit, options)
    if options["replace"] and not collected.rules and not allow_empty:
        raise NothingWanted(
            f"{given.name} has no rule, and --replace would remove all that are there: nothing was changed;"
            " find out whether the source is whole, or say --allow-empty"
        )
    target = target_of(given.rule_type, kit.limits, options)
    work = Loading(collected, target, given.skips_bad)
    manner = Manner(f"load {given.name}", wait_s, dry_run, force)
    steps = make_change(kit, given.rule_type, manner, work.steps)
    Outcome(steps, dry_run, work.as_json()).show(as_json)


@click.command()
@source_options
@id_option
@replace_option
@key_option
@yes_option
@click.option("--all", "shows_all", is_flag=True, help="Show every rule, not the first twenty of each group.")
@json_option
@click.pass_context
def diff(ctx: click.Context, /, as_json: bool, shows_all: bool, **options: Any) -> None:
    """Show rule by rule what `load` would change."""
    given = given_of(options)
    kit = kit_of(ctx)
    collected = gathered(given, kit, options)
    work = Loading(collected, target_of(given.rule_type, kit.limits, options), given.skips_bad)
    steps = make_change(kit, given.rule_type, Manner("diff", dry_run=True), work.steps)
    outcome = Outcome(steps, True, {**work.as_json(), "rules": _rules(work.plan)} if as_json else {})
    if not as_json:
        console = report_console()
        for line in list_changes(outcome.changes, 1 << 40 if shows_all else 20):
            say(console, line)
    outcome.show(as_json)


@click.command()
@click.argument("rule_type", type=a_type, metavar="TYPE")
@click.argument("value")
@click.option("--tag", help="The name by which readers know the rule.")
@click.option("--rule-id", help="The rule's id; by default it is derived from the value.")
@click.option("--field", "extra", multiple=True, metavar="NAME=TEXT", help="Another field; may be repeated.")
@id_option
@key_option
@yes_option
@force_option
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@wait_option
@json_option
@click.pass_context
def add(
    ctx: click.Context,
    rule_type: RuleType,
    value: str,
    tag: str | None,
    rule_id: str | None,
    extra: tuple[str, ...],
    group_id: str | None,
    key_name: str | None,
    may_spend: bool,
    force: bool,
    dry_run: bool,
    wait_s: float,
    as_json: bool,
) -> None:
    """Add one rule, or change the one with its id."""
    fields = {"value": value, **dict(_field(text) for text in extra)}
    fields |= {name: text for name, text in (("tag", tag), ("rule_id", rule_id)) if text is not None}
    kit = kit_of(ctx)
    collected = Collected()
    rows: Iterable[Row | BadRow] = [Row(1, fields)]
    if rule_type is RuleType.FOLLOW and list(names_in(value)):
        rows = Naming(kit, may_spend, key_name).ids_for([Row(1, fields)])
    for _ in collected.take(rows, rule_type, kit.limits):
        pass
    if collected.bad:
        raise BadRows(f"{collected.bad[0].reason}; nothing was changed")
    options = {"group_id": group_id, "replace": False}
    work = Loading(collected, target_of(rule_type, kit.limits, options), False)
    manner = Manner(f"add {value}"[:200], wait_s, dry_run, force)
    steps = make_change(kit, rule_type, manner, work.steps)
    Outcome(steps, dry_run, work.as_json()).show(as_json)


def gathered(given: Given, kit: Kit, options: dict[str, Any]) -> Collected:
    """Read all rules, with ids for the names of accounts.

    Raises SourceError, BadRows, and for names NotAgreed, XRefused and RedisUnavailable.
    """
    return collect(given, kit.limits, Naming(kit, options["may_spend"], options["key_name"]).ids_for)


def _field(text: str) -> tuple[str, str]:
    name, equals, content = text.partition("=")
    if not equals or not name.strip():
        raise click.UsageError(f"--field {text!r} is not NAME=TEXT")
    return name.strip(), content


def target_of(rule_type: RuleType, limits: Any, options: dict[str, Any]) -> LoadTarget:
    """Return where the options want rules to go."""
    group = None
    if (group_id := options["group_id"]) is not None:
        try:
            group = GroupId.parse(f"{rule_type}:{group_id}")
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    return LoadTarget(rule_type, limits, group, options["replace"])


class Loading:
    """Works a load out on what stands in Redis; `plan` is the last result."""

    def __init__(self, collected: Collected, target: LoadTarget, skips_bad: bool) -> None:
        self._collected = collected
        self._target = target
        self._skips_bad = skips_bad
        self.plan = LoadPlan()

    def steps(self, _client: redis.Redis, holdings: Holdings) -> Steps:
        """Return the groups to write. Raises BadRows."""
        self.plan = plan_load(list(self._collected.rules.values()), holdings, self._target)
        settle_bad(self.plan.refused, self._skips_bad)
        return self.plan.steps

    def as_json(self) -> dict[str, object]:
        """Return what is told of the source."""
        bad = [*self._collected.bad, *self.plan.refused]
        return {
            "read": len(self._collected.rules),
            "repeated": self._collected.repeated,
            "unchanged": self.plan.unchanged,
            "bad": [{"row": row.number, "reason": row.reason} for row in bad],
        }


def _rules(plan: LoadPlan) -> list[dict[str, object]]:
    return [
        {"key": one.key, "change": str(one.kind), "before": one.before, "after": one.after}
        for change in plan.changes
        for one in change.rules
    ]
