"""The commands that ask the gap ledger: `gaps`."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from traptor.common.errors import TraptorError
from traptor.supervisor.ctl.client import Client, NobodyThere
from traptor.supervisor.ctl.completion import connection_names
from traptor.supervisor.ctl.printing.tables import as_json, print_json_line, print_table, table
from traptor.supervisor.ctl.target import Target, pass_target
from traptor.supervisor.gaps.fill import shown_fill
from traptor.supervisor.gaps.interval import instant
from traptor.supervisor.status.terms import age, local_time

_COLUMNS = ("CONNECTION", "FROM", "TO", "LASTED", "CAUSE", "RULES", "FILLED")


@click.command()
@click.argument("connection", required=False, shell_complete=connection_names)
@click.option("--since", default="24h", show_default=True, help="How long ago, such as 1h; or an ISO time.")
@click.option("--until", help="As --since; default: now.")
@click.option("--rule", help="Only the gaps of one rule, by its rule_id or its whole Redis key.")
@as_json
@pass_target
def gaps(
    target: Target, connection: str | None, since: str, until: str | None, rule: str | None, as_json: bool
) -> None:
    """Show the gaps: when what was not collected, and why.

    With -c it also works while no supervisor runs, from the ledger's file.
    """
    wanted = {"connection": connection, "since": since, "until": until, "rule": rule}
    given = {name: value for name, value in wanted.items() if value is not None}
    try:
        found = _lines(target.client, given)
    except NobodyThere:
        if (file := target.ledger) is None:
            raise
        click.echo(f"no supervisor runs: this is from its file {file}, up to now", err=True)
        found = _in_file(file, given)
    if as_json:
        for one in found:
            print_json_line(one)
    elif not found:
        click.echo("no gaps in this time")
    else:
        print_table(table(_COLUMNS, map(_row, found), numbers=("LASTED", "RULES")))


def last_gaps(client: Client) -> dict[str, dict[str, Any]]:
    """Return the latest gap of the last day of each connection, by its name."""
    found = _lines(client, {"since": "24h"})
    return {gap["connection"]: gap for gap in found if gap["kind"] == "gap"}


def _in_file(file: Path, parameters: dict[str, str]) -> list[dict[str, Any]]:
    # Imported here: few commands need it, and every one would wait for it.
    from traptor.supervisor.ledger.answers.answer import UnknownError
    from traptor.supervisor.ledger.answers.question import BadQuestionError, Question
    from traptor.supervisor.ledger.answers.unattended import gaps_in_file
    from traptor.supervisor.ledger.keeper import boot_id

    # What it finds out about the end of the last supervisor is shown, and not logged.
    logging.getLogger("traptor").addHandler(logging.NullHandler())
    now = instant(time.monotonic())
    try:
        question = Question.parse({name: [value] for name, value in parameters.items()}, now.wall)
        return gaps_in_file(file, question, boot_id(), now)
    except (BadQuestionError, UnknownError) as error:
        raise TraptorError(str(error)) from None


def _lines(client: Client, parameters: dict[str, str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in client.lines("gaps", **parameters)]


def _row(gap: dict[str, Any]) -> Sequence[str]:
    until = "now" if gap["open"] else local_time(gap["to_unix"])
    what = gap["cause"] or gap["kind"]
    name = gap["connection"] or gap.get("rule", "")
    return (
        name,
        local_time(gap["from_unix"]),
        until,
        age(gap["seconds"]),
        what,
        str(gap["rule_count"] or ""),
        "; ".join(map(shown_fill, gap.get("filled", ()))),
    )


COMMANDS = (gaps,)
