"""`try`: what a rule would have found among recent tweets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

import click
import orjson
from rich.text import Text

from traptor.common.errors import TraptorError
from traptor.common.rules.normalise import read_rule
from traptor.common.rules.rule import Rejected, Rule, RuleType
from traptor.common.terminal import report_console
from traptor.common.text import counted, printable
from traptor.rulekit.commands.parts.kit import Kit, a_type, json_option, kit_of, say, say_json
from traptor.rulekit.commands.parts.seams import Seams, seams_of
from traptor.rulekit.figures.recent import recent_lines, text_in

_SHOWN = 5
_LONGER = "5m"
_END_BYTES = 4 << 20  # of each file


class CannotTry(TraptorError):
    """There is nothing to try a rule on."""


@dataclass
class Tried:
    """What a rule found: how many tweets were looked at, how many it matches, and the last few of them."""

    seen: int = 0
    matched: int = 0
    texts: list[str] = field(default_factory=list)


@click.command(name="try")
@click.argument("value")
@click.option(
    "--type",
    "rule_type",
    type=a_type,
    metavar="TYPE",
    default="track",
    show_default=True,
    help="The type of rule.",
)
@click.option("--hashtag", is_flag=True, help="Take the words for hashtags.")
@click.option(
    "--within", default="10s", show_default=True, help="How long to listen where no output files can be read."
)
@json_option
@click.pass_context
def try_value(
    ctx: click.Context, value: str, rule_type: RuleType, hashtag: bool, within: str, as_json: bool
) -> None:
    """Count the recent tweets that a rule with VALUE finds.

    Shows five of them. Recent are the ends of the output's files; without them, what a running supervisor
    delivers now.
    """
    kit, seams = kit_of(ctx), seams_of(ctx)
    rule = _rule(kit, value, rule_type, hashtag)
    if seams.matching is None:
        raise CannotTry("only traptorctl can match tweets")
    recent = list(recent_lines(kit.traptor.output, _END_BYTES))
    lines = recent or list(_listened(seams, within))
    tried = _tried(seams, rule, lines)
    if as_json:
        say_json({"seen": tried.seen, "matched": tried.matched, "values": rule.values, "texts": tried.texts})
        return
    _show(rule, tried)


def _rule(kit: Kit, value: str, rule_type: RuleType, hashtag: bool) -> Rule:
    fields = {"value": value, **({"orig_type": "hashtag"} if hashtag else {})}
    found = read_rule(f"traptor-{rule_type}:0:try", fields, True, kit.limits)
    if isinstance(found, Rejected):
        raise CannotTry(found.reason)
    assert isinstance(found, Rule)
    return found


def _listened(seams: Seams, within: str) -> Iterable[bytes]:
    if seams.sample is None:
        raise CannotTry(
            "there are no output files to look at, and no supervisor to listen to: name the ini of one that"
            " runs, or whose [traptor] output is jsonl:DIR"
        )
    say(f"listening for {within}, as the output has no files to look at")
    try:
        lines = list(seams.sample(within))
    except TraptorError as error:
        cannot = CannotTry(
            f"there are no output files to look at, and nobody to listen to: {error}; or name the ini of a"
            " supervisor whose [traptor] output is jsonl:DIR"
        )
        cannot.exit_code = error.exit_code
        raise cannot from error
    if not lines:
        say(f"no tweet was delivered in this time; listen longer: --within {_LONGER}")
    return lines


def _tried(seams: Seams, rule: Rule, lines: Iterable[bytes]) -> Tried:
    assert seams.matching is not None
    matches, tried = seams.matching([rule]), Tried()
    found: list[bytes] = []
    for line in lines:
        matched = matches(line)
        if matched is None:
            continue
        tried.seen += 1
        if matched:
            tried.matched += 1
            found = [*found[-_SHOWN + 1 :], line]
    tried.texts = [text for line in found if (text := _text_of(line))]
    return tried


def _text_of(line: bytes) -> str:
    try:
        return text_in(orjson.loads(line))
    except orjson.JSONDecodeError:
        return ""


def _show(rule: Rule, tried: Tried) -> None:
    matches = "1 match" if tried.matched == 1 else f"{tried.matched} matches"
    click.echo(f"{matches} in {counted(tried.seen, 'tweet')}")
    console = report_console()
    terms = {word.lstrip("#@$") for value in rule.values for word in value.split()}
    for text in islice(tried.texts, _SHOWN):
        shown = Text(printable(text.replace("\n", " ")))
        shown.highlight_words(
            sorted(filter(None, terms), key=len, reverse=True), "bold reverse", case_sensitive=False
        )
        console.print(shown, soft_wrap=True)
