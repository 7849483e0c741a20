"""`list`, `show` and `export`: the rules that stand in Redis."""

from __future__ import annotations

import csv
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import click
import orjson

from traptor.common.errors import TraptorError
from traptor.common.rules.normalise import Found
from traptor.common.rules.rule import GroupId, Inactive, Rejected, Rule, RuleType
from traptor.common.terminal import report_console, write_data_as_utf8
from traptor.common.text import one_line, safe_json
from traptor.rulekit.changes.holdings import Holdings, Stored
from traptor.rulekit.changes.state import state_of
from traptor.rulekit.commands.editing import NoSuchRule
from traptor.rulekit.commands.parts.changing import read_shown
from traptor.rulekit.commands.parts.kit import Kit, Where, a_place, json_option, kit_of, say, say_json
from traptor.rulekit.commands.parts.seams import Seams, seams_of
from traptor.rulekit.commands.parts.tables import MOST_OF_ONE, table


@click.command(name="list")
@click.argument("where", type=a_place, required=False, metavar="[TYPE[:ID]]")
@json_option
@click.pass_context
def list_rules(ctx: click.Context, where: Where | None, as_json: bool) -> None:
    """List the groups, or the rules of a group.

    Those of one type, or of all.
    """
    kit = kit_of(ctx)
    reader = _Reader(kit, seams_of(ctx))
    if where is not None and where.group is not None:
        _list_group(reader, where.group, as_json)
    else:
        _list_groups(reader, [where.type] if where else list(RuleType), as_json)


@click.command()
@click.argument("where", type=a_place, metavar="TYPE[:ID]")
@click.argument("rule_id")
@json_option
@click.pass_context
def show(ctx: click.Context, where: Where, rule_id: str, as_json: bool) -> None:
    """Show all fields of a rule, and what becomes of it.

    It is named by its id or key.
    """
    kit = kit_of(ctx)
    with kit.redis() as client:
        holdings = read_shown(client, where.type, where.group)
    rules = [rule for rule in holdings.rules if rule_id in (rule.rule_id, rule.key)]
    if not rules:
        unusable = next((one for one in holdings.unusable if one.key == rule_id), None)
        why = f"{rule_id} is {unusable.reason}" if unusable else f"no {where} rule has the id {rule_id}"
        raise NoSuchRule(why)
    found = _Reader(kit, seams_of(ctx)).rules(holdings.of(rule.group for rule in rules), rules)
    if as_json:
        say_json(found)
        return
    for one in found:
        fields = one.pop("fields")
        assert isinstance(fields, dict)
        rows = [*one.items(), *((f"  {name}", text) for name, text in fields.items())]
        report_console().print(table(("", ""), rows, most=MOST_OF_ONE))


@click.command()
@click.argument("where", type=a_place, metavar="TYPE[:ID]")
@click.option("--to", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file, not stdout.")
@click.pass_context
def export(ctx: click.Context, where: Where, form: str, output: Path | None) -> None:
    """Write rules in a form that `load` reads."""
    with kit_of(ctx).redis() as client:
        holdings = read_shown(client, where.type, where.group)
    for one in holdings.unusable:
        say(f"left out: {one.shown_key}: {one.reason}")
    try:
        if output is None:
            if sys.stdout is None:
                raise TraptorError("stdout is closed; name a file with -o")
            write_data_as_utf8()
            _write(sys.stdout, holdings.rules, form)
        else:
            with output.open("w", encoding="utf-8", newline="") as stream:
                _write(stream, holdings.rules, form)
    except BrokenPipeError:
        raise click.exceptions.Exit(0) from None
    except OSError as error:
        raise TraptorError(f"{output or 'stdout'} cannot be written: {error.strerror}") from None


def _write(stream: TextIO, rules: Sequence[Stored], form: str) -> None:
    rows: Iterator[dict[str, str]] = ({**rule.fields, "rule_id": rule.rule_id} for rule in rules)
    if form == "jsonl":
        for row in rows:
            stream.write(safe_json(orjson.dumps(row)).decode() + "\n")
        return
    names = sorted({name for rule in rules for name in rule.fields} - {"rule_id", "value", "tag"})
    cell = one_line if stream.isatty() else str  # CSV has no escapes that a program would read
    writer = csv.writer(stream)
    columns = ["rule_id", "value", "tag", *names]
    writer.writerow(map(cell, columns))
    writer.writerows([cell(row.get(name, "")) for name in columns] for row in rows)


class _Reader:
    """Tells what becomes of rules, by the limits of the ini and, with v2, by what X has filters for."""

    def __init__(self, kit: Kit, seams: Seams) -> None:
        self.kit = kit
        self._unfiltered = seams.unfiltered

    def judged(self, rule: Stored) -> Found:
        """Return what the supervisor makes of a rule."""
        return rule.judged(self.kit.honour_status, self.kit.limits)

    def without_filter(self, holdings: Holdings) -> Mapping[str, str]:
        """Return why X has no filter for a rule, by its Redis key; nothing under v1.1."""
        if self._unfiltered is None or not self.kit.is_v2:
            return {}
        groups: dict[GroupId, list[Rule]] = {}
        for rule in map(self.judged, holdings.rules):
            if isinstance(rule, Rule):
                groups.setdefault(rule.group, []).append(rule)
        return self._unfiltered(self.kit.traptor, self.kit.twitter, groups)

    def rules(self, holdings: Holdings, shown: Iterable[Stored]) -> list[dict[str, object]]:
        """Return some of the rules for programs."""
        without = self.without_filter(holdings)
        return [_rule_json(rule, self.judged(rule), without.get(rule.key)) for rule in shown]

    def group(self, group: GroupId, holdings: Holdings, without: Collection[str]) -> dict[str, object]:
        """Return a group for programs. The limit of a connection is v1.1's; with v2 an app has filters."""
        found = [self.judged(rule) for rule in holdings.rules]
        values = {value for one in found if isinstance(one, Rule) for value in one.values}
        told: dict[str, object] = {"group": str(group), "rules": len(found), "values": len(values)}
        if self.kit.is_v2:
            told["no filter"] = sum(isinstance(one, Rule) and one.key in without for one in found)
        else:
            limit = self.kit.limits.of(group.type)
            told |= {"limit": limit, "connections": -(-len(values) // limit)}
        inactive = sum(isinstance(one, Inactive) for one in found)
        return {**told, "inactive": inactive, "invalid": sum(isinstance(one, Rejected) for one in found)}


def _list_groups(reader: _Reader, types: Sequence[RuleType], as_json: bool) -> None:
    rows = []
    with reader.kit.redis() as client:
        for rule_type in types:
            holdings = read_shown(client, rule_type)
            without = reader.without_filter(holdings)
            rows += [reader.group(group, holdings.of([group]), without) for group in holdings.groups]
            for one in holdings.unusable:
                say(f"no rule: {one.shown_key}: {one.reason}")
    if as_json:
        say_json([{head.replace(" ", "_"): text for head, text in row.items()} for row in rows])
        return
    of_api = ("no filter",) if reader.kit.is_v2 else ("limit", "connections")
    heads = ("group", "rules", "values", *of_api, "inactive", "invalid")
    report_console().print(table(heads, [[row[head] for head in heads] for row in rows], heads[1:]))


def _list_group(reader: _Reader, group: GroupId, as_json: bool) -> None:
    with reader.kit.redis() as client:
        holdings = read_shown(client, group.type, group)
    rows = reader.rules(holdings, holdings.rules)
    rows += [
        {
            "key": one.key,
            "rule_id": "",
            "group": str(group),
            "state": f"no rule: {one.reason}",
            "values": [],
            "fields": {},
        }
        for one in holdings.unusable
    ]
    if as_json:
        say_json(rows)
        return
    shown = []
    for row in rows:
        fields = row["fields"]
        assert isinstance(fields, dict)
        shown.append(
            (row["rule_id"] or row["key"], fields.get("value", ""), fields.get("tag", ""), row["state"])
        )
    report_console().print(table(("rule_id", "value", "tag", "state"), shown))


def _rule_json(rule: Stored, found: Found, why_no_filter: str | None) -> dict[str, object]:
    state, values = state_of(found, why_no_filter), list(found.values) if isinstance(found, Rule) else []
    if isinstance(found, Rule) and found.doubt:
        state += f"; {found.doubt}"
    return {
        "key": rule.key,
        "rule_id": rule.rule_id,
        "group": str(rule.group),
        "state": state,
        "values": values,
        "fields": dict(rule.fields),
    }
