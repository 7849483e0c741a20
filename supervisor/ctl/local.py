"""The command that needs no supervisor: `check`."""

from __future__ import annotations

import sys

import click

from traptor.common.terminal import report_console
from traptor.supervisor.ctl.target import Target, pass_target


@click.command()
@pass_target
def check(target: Target) -> None:
    """Check ini, keys, Redis and Kafka.

    As `traptor-supervisor --check` does. Needs -c.
    """
    # Imported here: they take longer than any other command.
    import asyncio

    from traptor.supervisor.checks.check import check as run_check

    sys.exit(asyncio.run(run_check(target.config, report_console())))


COMMANDS = (check,)
