"""`price` and `refresh-names`: what X knows of rules, for its price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click
import redis

from traptor.common.rules.rule import RuleType
from traptor.common.terminal import report_console
from traptor.common.text import counted
from traptor.rulekit.changes.change import RuleChange, by_group
from traptor.rulekit.changes.editing import Edits
from traptor.rulekit.changes.holdings import Holdings, Stored, values_of
from traptor.rulekit.changes.wanted import Collected
from traptor.rulekit.commands.parts.changing import Manner, Outcome, make_change
from traptor.rulekit.commands.parts.given import (
    BadRows,
    collect,
    given_of,
    progress_bar,
    refuse_file_beside_value,
    source_options,
)
from traptor.rulekit.commands.parts.kit import (
    Kit,
    Where,
    a_place,
    json_option,
    kit_of,
    say,
    say_json,
    wait_option,
)
from traptor.rulekit.commands.parts.spending import agree, key_option, yes_option
from traptor.rulekit.commands.parts.tables import table
from traptor.rulekit.keeping.changing import Steps
from traptor.rulekit.lookups.accounts import XAccount, by_ids
from traptor.rulekit.lookups.names import FIELD
from traptor.rulekit.lookups.question import asker_of
from traptor.rulekit.lookups.volume import Inquiry, Volume, inquiry, volumes
from traptor.rulekit.sources.row import Row

_CAVEAT = (
    "a lower bound: X's counts leave out reposts and what is found by quoted posts, links and places;"
    " by the last seven days, at {price:g} dollars a post"
)


@click.command()
@click.option("--value", help="One value, instead of a FILE.")
@source_options
@key_option
@yes_option
@json_option
@click.pass_context
def price(
    ctx: click.Context,
    /,
    value: str | None,
    key_name: str | None,
    may_spend: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Ask X how many posts rules would bring, and at what cost.

    Of each rule a day's posts and dollars. Asking has a price itself.
    """
    if value is not None:
        refuse_file_beside_value(options)
    given = given_of(options)
    kit = kit_of(ctx)
    collected = _one(value, given.rule_type, kit) if value is not None else collect(given, kit.limits)
    inquiries = [
        inquiry(given.rule_type, rule.rule_id, rule.fields["value"], rule.values)
        for rule in collected.rules.values()
    ]
    found = _asked(kit, inquiries, key_name, may_spend)
    _show(kit, found, as_json)


def _one(value: str, rule_type: RuleType, kit: Kit) -> Collected:
    collected = Collected()
    for _ in collected.take([Row(1, {"value": value})], rule_type, kit.limits):
        pass
    if collected.bad:
        raise BadRows(f"{collected.bad[0].reason}; nothing was asked")
    return collected


def _asked(kit: Kit, inquiries: Sequence[Inquiry], key_name: str | None, may_spend: bool) -> list[Volume]:
    requests = sum(len(one.queries) for one in inquiries)
    what = f"to count {counted(len(inquiries), 'rule')} at X ({counted(requests, 'request')})"
    agree(what, requests * kit.twitter.counts_price, agreed=may_spend)
    asker = asker_of(kit.settings, key_name)
    with progress_bar("asking X") as show:
        return volumes(asker, inquiries, show)


def _show(kit: Kit, found: Sequence[Volume], as_json: bool) -> None:
    post_price = kit.twitter.post_price
    posts = sum(one.posts_a_day for one in found)
    caveat = _CAVEAT.format(price=post_price)
    if as_json:
        rules = [
            {
                "rule_id": one.rule_id,
                "value": one.value,
                "posts_a_day": None if one.reason else round(one.posts_a_day, 2),
                "dollars_a_day": None if one.reason else round(one.posts_a_day * post_price, 4),
                "reason": one.reason,
            }
            for one in found
        ]
        total = {"posts_a_day": round(posts, 2), "dollars_a_day": round(posts * post_price, 4)}
        say_json({"rules": rules, **total, "caveat": caveat})
        return
    rows = [
        (one.rule_id, one.value, *((one.reason, "") if one.reason else _amounts(one.posts_a_day, post_price)))
        for one in sorted(found, key=lambda one: -one.posts_a_day)
    ]
    heads = ("rule_id", "value", "posts a day", "$ a day")
    report_console().print(table(heads, [*rows, ("all", "", *_amounts(posts, post_price))], heads[2:]))
    say(caveat)


def _amounts(posts: float, post_price: float) -> tuple[str, str]:
    return f"{posts:,.1f}", f"{posts * post_price:,.2f}"


# ---- names


@click.command(name="refresh-names")
@click.argument("where", type=a_place, default="follow", metavar="[follow[:ID]]")
@click.option(
    "--all", "asks_all", is_flag=True, help="Also ask for the names of rules that were given as ids."
)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing; X is asked.")
@key_option
@yes_option
@wait_option
@json_option
@click.pass_context
def refresh_names(
    ctx: click.Context,
    /,
    where: Where,
    asks_all: bool,
    dry_run: bool,
    key_name: str | None,
    may_spend: bool,
    wait_s: float,
    as_json: bool,
) -> None:
    """Find accounts that were renamed or are gone.

    New names are written, rules of gone accounts stay.
    """
    if where.type is not RuleType.FOLLOW:
        raise click.UsageError("only follow rules have names")
    kit = kit_of(ctx)
    work = _NameWork(kit, where, asks_all, key_name, may_spend)
    steps = make_change(kit, where.type, Manner(f"refresh-names {where}", wait_s, dry_run), work.steps)
    if not as_json:
        for line in work.lines():
            click.echo(line)
    Outcome(steps, dry_run, {"renamed": work.renamed, "gone": work.gone}).show(as_json)


class _NameWork:
    """Works out which names of rules changed."""

    def __init__(self, kit: Kit, where: Where, asks_all: bool, key_name: str | None, may_spend: bool) -> None:
        self._kit = kit
        self._where = where
        self._asks_all = asks_all
        self._key_name = key_name
        self._may_spend = may_spend
        self.renamed: list[dict[str, str]] = []
        self.gone: list[dict[str, str]] = []

    def steps(self, _client: redis.Redis, holdings: Holdings) -> Steps:
        if self._where.group is not None:
            holdings = holdings.of([self._where.group])
        rules = [rule for rule in holdings.rules if self._asks_all or rule.fields.get(FIELD)]
        ids = list(dict.fromkeys(user for rule in rules for user in values_of(rule.group.type, rule.fields)))
        if not ids:
            say("no rule has a name; --all asks for the names of all")
            return []
        what = f"to ask X for {counted(len(ids), 'account')}"
        agree(what, len(ids) * self._kit.twitter.user_price, agreed=self._may_spend)
        asker = asker_of(self._kit.settings, self._key_name)
        with progress_bar("asking X") as show:
            accounts = by_ids(asker, ids, show)
        edits: Edits = [(rule.group, change) for rule in rules for change in self._compared(rule, accounts)]
        return [[change] for change in by_group(edits)]

    def _compared(self, rule: Stored, accounts: dict[str, XAccount]) -> Iterator[RuleChange]:
        ids = [user.strip() for user in rule.fields.get("value", "").split(",")]
        old = rule.fields.get(FIELD, "").split(",")
        old += [""] * (len(ids) - len(old))
        new = list(old)
        for place, user in enumerate(ids):
            account = accounts.get(str(int(user)) if user.isdecimal() else user, XAccount())
            about = {"key": rule.key, "id": user, "name": old[place]}
            if account.gone:
                self.gone.append({**about, "reason": account.gone})
            elif account.username and account.username != old[place]:
                self.renamed.append({**about, "new_name": account.username})
                new[place] = account.username
        if new != old and any(new):
            yield RuleChange(rule.key, rule.fields, {**rule.fields, FIELD: ",".join(new[: len(ids)])})

    def lines(self) -> Iterator[str]:
        """Yield a line for each account that is not as it was."""
        for one in self.renamed:
            yield f"{one['key']}: {one['id']} is @{one['new_name']}, was {one['name'] or 'not known'}"
        for one in self.gone:
            yield f"{one['key']}: {one['id']} ({one['name'] or 'name not known'}) is gone: {one['reason']}"
