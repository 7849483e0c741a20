"""`stats`: what each rule brought."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from traptor.common.rules.rule import RuleType
from traptor.common.terminal import report_console
from traptor.rulekit.changes.holdings import Stored
from traptor.rulekit.commands.parts.changing import read_shown
from traptor.rulekit.commands.parts.kit import Where, a_place, json_option, kit_of, say_json
from traptor.rulekit.commands.parts.tables import table
from traptor.rulekit.figures.reading import read_figures
from traptor.rulekit.figures.report import Order, RuleReport, ordered, reports

_V2 = "v2"
_RARE = (
    "silent for",
    "shared",
    "held",
    "$ a day",
)  # shown where there is any, as a narrow terminal has no room
_HEADS = ("rule", "value", "total", "last day", "last match", *_RARE)


@click.command()
@click.argument("where", type=a_place, required=False, metavar="[TYPE[:ID]]")
@click.option(
    "--by",
    "order",
    type=click.Choice([str(order) for order in Order]),
    default=str(Order.DAY),
    show_default=True,
    help="What the first rules are: the busiest of the last day or of all time, those that are silent beside"
    " their usual interval, share a value with most others, or exceed their rate limit.",
)
@click.option("-n", "most", type=click.IntRange(1), default=50, show_default=True, help="How many rules.")
@json_option
@click.pass_context
def stats(ctx: click.Context, where: Where | None, order: str, most: int, as_json: bool) -> None:
    """Show what each rule brought, and when it matched last.

    Shows too which rules have fallen silent.
    """
    kit = kit_of(ctx)
    now = time.time()
    rules: list[Stored] = []
    with kit.redis() as client:
        for rule_type in [where.type] if where else RuleType:
            rules += read_shown(client, rule_type, where.group if where else None).rules
        figures = read_figures(client, sorted({rule.group for rule in rules}), now)
    found = ordered(reports(rules, figures), Order(order), now)[:most]
    price = kit.twitter.post_price if kit.traptor.api == _V2 else None
    if as_json:
        say_json([one.as_json(now, price) for one in found])
    else:
        _show(found, now, price)


def _show(found: Sequence[RuleReport], now: float, price: float | None) -> None:
    rows = [
        {
            "rule": one.figure.rule,
            "value": one.rule.fields.get("value", ""),
            "total": one.figure.total,
            "last day": one.figure.a_day,
            "last match": _ago(now, one.figure.last_at),
            "silent for": _span(one.figure.silent_s(now)),
            "shared": one.shared_with or "",
            "held": one.figure.held or "",
            "$ a day": "" if price is None else f"{one.figure.a_day * price:,.2f}",
        }
        for one in found
    ]
    heads = [head for head in _HEADS if head not in _RARE or any(row[head] for row in rows)]
    lines = [[row[head] for head in heads] for row in rows]
    report_console().print(table(heads, lines, ("total", "last day", "shared", "held", "$ a day")))


def _ago(now: float, at: float | None) -> str:
    return "never" if at is None else f"{_span(max(now - at, 0.0))} ago"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, length_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{seconds:.0f} s"
