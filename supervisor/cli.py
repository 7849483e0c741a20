"""The command `traptor-supervisor`."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import multiprocessing
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from traptor.common import __version__
from traptor.common.errors import ConfigError, ExitCode, TraptorError
from traptor.common.text import one_line, safe_json
from traptor.supervisor.host.importing import importing
from traptor.supervisor.host.inherited import open_missing_streams, raise_descriptor_limit, reset_signals
from traptor.supervisor.workers.forking.keeper import ForkerKeeper

_STDERR = 2


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Signals: HUP reloads, TERM and INT drain and stop (a second one: at once), QUIT stops "
    "quickly, USR1 reopens logs, USR2 logs the status. "
    "Exit codes: 0 ok, 1 failure, 2 usage, 75 already running, 78 bad configuration.",
)
@click.option(
    "-c",
    "--config",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The ini file; traptor.ini of the distribution documents every option.",
)
@click.option(
    "--check",
    "only_check",
    is_flag=True,
    help="Check ini, keys, Redis and Kafka, report every problem, and exit.",
)
@click.option("--plan", "only_plan", is_flag=True, help="Print the connections that would run, and exit.")
@click.option("--json", "as_json", is_flag=True, help="With --plan: print JSON, for programs.")
@click.version_option(__version__, prog_name="traptor-supervisor")
def main(config: Path, only_check: bool, only_plan: bool, as_json: bool) -> None:
    """Run a collection in the foreground: one worker process for each connection that the rules need."""
    if as_json and not only_plan:
        raise click.UsageError("--json goes with --plan")
    missing_streams = open_missing_streams()
    reset_signals()
    # Whatever Python's default is (3.14: forkserver), a worker must be forked.
    multiprocessing.set_start_method("fork")
    try:
        if only_check:
            sys.exit(_check(config))
        if only_plan:
            sys.exit(_plan(config, as_json=as_json))
        sys.exit(_run(config, missing_streams))
    except TraptorError as error:
        _say(error)
        if as_json:
            with contextlib.suppress(OSError):  # it was said above
                click.echo(_json({"error": _told(error)}))
        sys.exit(error.exit_code)


def _check(config: Path) -> ExitCode:
    from traptor.common.terminal import on_stdout, report_console
    from traptor.supervisor.checks.check import check

    with on_stdout():
        return asyncio.run(check(config, report_console()))


def _plan(config: Path, *, as_json: bool) -> ExitCode:
    from traptor.common.config.settings import load_settings
    from traptor.common.terminal import on_stdout, report_console
    from traptor.supervisor.checks.preview import preview, preview_json

    settings = load_settings(config)
    with on_stdout():
        if not as_json:
            return asyncio.run(preview(settings, report_console()))
        click.echo(_json(asyncio.run(preview_json(settings))))
    return ExitCode.OK


def _run(config: Path, missing_streams: Collection[int]) -> ExitCode:
    raise_descriptor_limit()
    # The watchdog of systemd sends ABRT: the stack tells where the master hung. Of this thread alone, for the
    # others run on meanwhile, and Python may crash over the stack of one before it comes to this one.
    faulthandler.enable(_STDERR, all_threads=False)
    # First of all: a fork takes the longer, the more its parent has in memory. And so the two import at once.
    with ForkerKeeper() as forkers:
        with importing():
            from traptor.supervisor.run import run
        return run(config, missing_streams, forkers)


def _json(content: object) -> bytes:
    import orjson

    return safe_json(orjson.dumps(content, option=orjson.OPT_INDENT_2))


def _told(error: TraptorError) -> dict[str, Any]:
    """Return an error as a program reads it."""
    problems = error.problems if isinstance(error, ConfigError) else [error]
    return {
        "kind": "configuration" if isinstance(error, ConfigError) else "failure",
        "exit_code": int(error.exit_code),
        "problems": [one_line(str(problem)) for problem in problems],
    }


def _say(error: TraptorError) -> None:
    if isinstance(error, ConfigError):
        for problem in error.problems:
            click.echo(f"error: {one_line(str(problem))}", err=True)
    else:
        click.echo(f"error: {one_line(str(error))}", err=True)
