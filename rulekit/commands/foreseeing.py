"""`plan` and `validate`: what would come of rules, before they are anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from traptor.common.rules.rule import Limits, RuleType
from traptor.common.terminal import report_console
from traptor.common.text import counted
from traptor.rulekit.changes.doubles import Coming, Doubles
from traptor.rulekit.changes.state import NO_FILTER
from traptor.rulekit.changes.wanted import wanted_rule
from traptor.rulekit.commands.foresight import Foresight
from traptor.rulekit.commands.loading import Loading, gathered, id_option, replace_option, target_of
from traptor.rulekit.commands.parts.changing import Manner, make_change
from traptor.rulekit.commands.parts.given import (
    MOST_RULES,
    Given,
    given_of,
    progress_bar,
    refuse_file_beside_value,
    say_rows,
    settle_bad,
    source_options,
)
from traptor.rulekit.commands.parts.kit import json_option, kit_of, say, say_json
from traptor.rulekit.commands.parts.seams import seams_of
from traptor.rulekit.commands.parts.spending import key_option, yes_option
from traptor.rulekit.commands.parts.tables import MOST_OF_ONE, table
from traptor.rulekit.sources.row import BadRow
from traptor.rulekit.validation.judge import judge
from traptor.rulekit.validation.kinds import ValueKind, read_kind, usual_kind

_MOST_BAD = 1_000  # kept of a file of any size
_SHOW_EVERY = 5_000

WhyNoFilter = Callable[[Sequence[str]], str | None]
"""Return why X would have no filter for a rule with these values; None if it would have one."""


@click.command()
@source_options
@id_option
@replace_option
@key_option
@yes_option
@json_option
@click.pass_context
def plan(ctx: click.Context, /, as_json: bool, **options: Any) -> None:
    """Show what `load` would start, stop, refresh, sync and cost.

    Of all that this host serves.
    """
    given = given_of(options)
    kit = kit_of(ctx)
    collected = gathered(given, kit, options)
    loading = Loading(collected, target_of(given.rule_type, kit.limits, options), given.skips_bad)
    seams = seams_of(ctx)
    foresight = Foresight(kit, seams, loading.steps)
    make_change(kit, given.rule_type, Manner("plan", dry_run=True), foresight.steps)
    if as_json:
        say_json({**loading.as_json(), **foresight.as_json()})
        return
    foresight.show()
    if kit.is_v2 and seams.apps is None:
        say("what becomes of the app's filters, and their price, only traptorctl tells")


@click.command()
@click.option("--value", help="One value, instead of a FILE.")
@click.option(
    "--kind", help="Its kind: keyword, hashtag, username, userid or geo; by default that of --type."
)
@source_options
@json_option
@click.pass_context
def validate(
    ctx: click.Context, /, value: str | None, kind: str | None, as_json: bool, **options: Any
) -> None:
    """Check the rules of a file, or one value, without Redis.

    The file may have any size.
    """
    if value is not None:
        refuse_file_beside_value(options)
        _validate_value(ctx, _kind_of(kind, options["rule_type"]), value, as_json)
        return
    if kind is not None:
        raise click.UsageError("--kind is for --value; --type says what the rules of a FILE are")
    given = given_of(options)
    checked = _checked(given, given.rule_type, kit_of(ctx).limits, _why_no_filter(ctx, given.rule_type))
    if as_json:
        told = [{"row": row.number, "reason": row.reason} for row in checked.bad]
        counts = {"valid": checked.good, "repeated": checked.repeated, "invalid": checked.invalid}
        unfiltered = [{"row": row.number, "reason": row.reason} for row in checked.without]
        say_json({**counts, "no_filter": checked.unfiltered, "bad": told, "without_filter": unfiltered})
    else:
        again = f", {checked.repeated:,} repeated" if checked.repeated else ""
        without = f", {checked.unfiltered:,} of them without a filter at X" if checked.unfiltered else ""
        click.echo(
            f"{counted(checked.good, 'valid rule')}{without}{again}, {counted(checked.invalid, 'bad row')}"
        )
        say_rows(checked.without, "rule without a filter")
    settle_bad([] if as_json else checked.bad, skips=True)
    if (checked.invalid or checked.unfiltered) and not given.skips_bad:
        ctx.exit(1)


def _kind_of(name: str | None, rule_type: RuleType | None) -> ValueKind:
    if name is None:
        return usual_kind(rule_type or RuleType.TRACK)
    try:
        kind = read_kind(name)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if rule_type not in (None, kind.rule_type):
        raise click.UsageError(f"--kind {kind} is of {kind.rule_type} rules, and --type says {rule_type}")
    return kind


def _why_no_filter(ctx: click.Context, rule_type: RuleType) -> WhyNoFilter:
    """Return what tells why X would have no filter for values; under v1.1 it always has what it needs."""
    kit, tell = kit_of(ctx), seams_of(ctx).value_unfiltered
    if tell is None or not kit.is_v2:
        return lambda _values: None
    twitter = kit.twitter
    return lambda values: tell(twitter, rule_type, values)


def _validate_value(ctx: click.Context, kind: ValueKind, value: str, as_json: bool) -> None:
    kit = kit_of(ctx)
    verdict = judge(kind, value, kit.limits)
    told = verdict.as_json()
    why = _why_no_filter(ctx, kind.rule_type)(verdict.values) if verdict.value else None
    if why is not None:
        told["no_filter"] = why
    if as_json:
        say_json(told)
    else:
        told["valid"] = "no" if not verdict.is_valid else "yes" if why is None else "yes, but no filter at X"
        limit = told.pop("limit", None)
        if isinstance(limit, dict) and not kit.is_v2:
            told["limit"] = f"{limit['counts']} of {limit['per_connection']} of a connection"
        report_console().print(table(("", ""), told.items(), most=MOST_OF_ONE))
    if why is not None or not verdict.is_valid:
        ctx.exit(1)


@dataclass
class Checked:
    """What a source holds: valid rules, some that repeat an earlier one, and bad rows, of which the first.

    `unfiltered` are valid rules for which X would have no filter (v2), `without` the first rows of them.
    """

    good: int = 0
    repeated: int = 0
    invalid: int = 0
    bad: list[BadRow] = field(default_factory=list)
    unfiltered: int = 0
    without: list[BadRow] = field(default_factory=list)

    @property
    def count(self) -> int:
        """The rows that were read."""
        return self.good + self.repeated + self.invalid


def _checked(given: Given, rule_type: RuleType, limits: Limits, why_no_filter: WhyNoFilter) -> Checked:
    checked, doubles = Checked(), Doubles(MOST_RULES)
    with given.rows() as rows, progress_bar("checking") as show:
        for row in rows:
            try:
                if isinstance(row, BadRow):
                    raise ValueError(row.reason)  # noqa: TRY004 - the row is wrong
                rule = wanted_rule(row, rule_type, limits)
                if doubles.note(rule) is Coming.FIRST:
                    checked.good += 1
                    if (why := why_no_filter(rule.values)) is not None:
                        checked.unfiltered += 1
                        if len(checked.without) < _MOST_BAD:
                            checked.without.append(BadRow(row.number, f"{NO_FILTER}{why}"))
                else:
                    checked.repeated += 1
            except ValueError as error:
                checked.invalid += 1
                if len(checked.bad) < _MOST_BAD:
                    checked.bad.append(BadRow(row.number, str(error)))
            if checked.count % _SHOW_EVERY == 0:
                show(checked.count, 0)
    return checked
