"""The commands that show the present state: `status` and `health`."""

from __future__ import annotations

import contextlib
import sys
import time

import click
from rich.live import Live

from traptor.common.terminal import report_console
from traptor.common.text import one_line
from traptor.supervisor.ctl.client import Client
from traptor.supervisor.ctl.history import last_gaps
from traptor.supervisor.ctl.printing.overview import Overview, watching
from traptor.supervisor.ctl.printing.tables import as_json, print_json
from traptor.supervisor.ctl.target import Target, pass_target

_EVERY_S = 2.0
_GAPS_EVERY_S = 30.0
_HEALTH = {"ok": 0, "degraded": 1, "down": 2}


@click.command()
@click.option("--watch", is_flag=True, help="Show it anew every 2 s, until Ctrl-C.")
@as_json
@pass_target
def status(target: Target, watch: bool, as_json: bool) -> None:
    """Show what is collected and what is not, problems first.

    Then each connection. Exit code: that of `health`.
    """
    client = target.client
    if watch:
        with contextlib.suppress(KeyboardInterrupt):
            _watch(client)
        return
    seen = client.get("status")
    if as_json:
        print_json(seen)
    else:
        report_console().print(Overview(seen, last_gaps(client)))
    sys.exit(_HEALTH[seen["health"]])


def _watch(client: Client) -> None:
    console = report_console()
    gaps, asked_at = last_gaps(client), time.monotonic()
    with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
        while True:
            if time.monotonic() - asked_at > _GAPS_EVERY_S:
                gaps, asked_at = last_gaps(client), time.monotonic()
            live.update(watching(Overview(client.get("status"), gaps), "Ctrl-C ends"), refresh=True)
            time.sleep(_EVERY_S)


@click.command()
@as_json
@pass_target
def health(target: Target, as_json: bool) -> None:
    """Tell in one line whether all is well.

    Exit codes: 0 ok, 1 degraded, 2 down, 3 no supervisor answers.
    """
    seen = target.client.get("status")
    verdict = seen["health"]
    found = [{"level": one["level"], "sentence": one["sentence"]} for one in seen["problems"]]
    if as_json:
        print_json({"health": verdict, "problems": found})
    else:
        click.echo(f"{verdict}: {one_line(found[0]['sentence']) if found else 'no problems'}")
    sys.exit(_HEALTH[verdict])


COMMANDS = (status, health)
