"""The commands that show messages as they pass: `tail`, `sample`."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from itertools import islice

import click

from traptor.common.text import one_line, safe_json
from traptor.supervisor.ctl.client import Client
from traptor.supervisor.ctl.completion import connection_names
from traptor.supervisor.ctl.target import Target, pass_target


@click.command()
@click.argument("connection", shell_complete=connection_names)
@click.option("-n", "--most", type=click.IntRange(1), help="End after so many.")
@pass_target
def tail(target: Target, connection: str, most: int | None) -> None:
    """Print the messages of CONNECTION as they pass.

    One a line, until Ctrl-C.
    """
    say_if_silent(target.client, connection)
    with contextlib.suppress(KeyboardInterrupt):
        _print(target.client.lines("connections", connection, "tail"), most)


@click.command()
@click.argument("connection", shell_complete=connection_names)
@click.option("-n", "--most", type=click.IntRange(1, 1000), default=20, show_default=True, help="So many.")
@click.option("--within", default="30s", show_default=True, help="Wait no longer for them.")
@pass_target
def sample(target: Target, connection: str, most: int, within: str) -> None:
    """Print the next few messages of CONNECTION.

    As they pass, one a line.
    """
    say_if_silent(target.client, connection)
    parameters = {"messages": str(most), "within": within}
    _print(target.client.lines("connections", connection, "sample", **parameters), most)


def say_if_silent(client: Client, connection: str) -> None:
    """Say on stderr that nothing can come now, and why."""
    for one in client.get("connections"):
        if one["connection"] == connection and not one["collecting"]:
            why = one["waits_for"] or one["state"].lower()
            click.echo(one_line(f"{connection} is not collecting: {why}; waiting"), err=True)


def _print(lines: Generator[bytes], most: int | None) -> None:
    with contextlib.closing(lines):
        for line in islice(lines, most):
            click.echo(safe_json(line))


COMMANDS = (tail, sample)
