"""The commands about keys: `keys`, `keys release`, `keys test`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from traptor.common.errors import ExitCode
from traptor.common.terminal import report_console
from traptor.common.text import one_line
from traptor.supervisor.ctl.completion import key_names
from traptor.supervisor.ctl.printing.tables import FittingTable, as_json, print_json
from traptor.supervisor.ctl.target import Target, pass_target
from traptor.supervisor.status.terms import local_time, since

_FIRST_TO_GO = ("ADDRESS", "LAST USED", "LENT", "CONNECTS LEFT")  # on a narrow terminal
_name = click.argument("name", shell_complete=key_names)


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def keys(ctx: click.Context, as_json: bool) -> None:
    """Show the keys: their states, and why one rests.

    Shows too until when, and how many connects are left of its budget.
    """
    if ctx.invoked_subcommand is not None:
        return
    found = ctx.find_object(Target).client.get("keys")  # type: ignore[union-attr] # the root makes one
    if as_json:
        print_json(found)
    elif found:
        rows = [_row(key) for key in found]
        report_console().print(FittingTable(rows, _FIRST_TO_GO, ("CONNECTS LEFT",), ("REASON",)))
    else:
        click.echo("no key is configured")


@keys.command()
@_name
@pass_target
def release(target: Target, name: str) -> None:
    """End the quarantine or the rest of the key NAME.

    It may be tried at once.
    """
    answer = target.client.post("keys", name, "release")
    click.echo(f"{name}: released, now {answer['state']}; it may be tried at once")


@keys.command()
@_name
@pass_target
def test(target: Target, name: str) -> None:
    """Connect once with the key NAME, and print the answer.

    This spends a connect of its budget. With API v2 it asks X, and opens no stream.
    """
    answer = target.client.post("keys", name, "test")
    said = one_line(answer["detail"])
    status = f"{answer['status']} " if answer["status"] is not None else ""
    click.echo(f"{name}: {'accepted' if answer['good'] else 'NOT ACCEPTED'}: {status}{said}".rstrip(": "))
    if not answer["good"]:
        sys.exit(ExitCode.FAILURE)


def _row(key: Mapping[str, Any]) -> Mapping[str, str]:
    return {
        "KEY": key["key"],
        "STATE": key["state"],
        "LENT": f"{key['lent']} of {key['max_connections']}",
        "CONNECTS LEFT": str(key["budget_left"]),
        "UNTIL": "" if key["until"] is None else local_time(key["until"]),
        "REASON": key["reason"] or "",
        "LAST USED": "" if key["last_used"] is None else f"{since(key['last_used'])} ago",
        "ADDRESS": key["source_address"] or "",
    }


COMMANDS = (keys,)
