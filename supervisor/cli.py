"""The command `traptor-supervisor`."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import multiprocessing
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from traptor.common import __version__
from traptor.common.config.sections.supervisor import SupervisorSection
from traptor.common.config.settings import Settings, load_settings
from traptor.common.errors import ConfigError, ExitCode, Problem, TraptorError
from traptor.common.files.folders import make_private, who_may_change
from traptor.common.logs.event import fields
from traptor.common.logs.master import MasterLogs, configure_master_logging
from traptor.common.text import one_line, safe_json
from traptor.supervisor.checks import host
from traptor.supervisor.host.importing import importing
from traptor.supervisor.host.inherited import (
    open_missing_streams,
    raise_descriptor_limit,
    require_stdout,
    reset_signals,
)
from traptor.supervisor.state.locks import RecordLock
from traptor.supervisor.workers.forking.keeper import ForkerKeeper
from traptor.supervisor.workers.settings import worker_settings

if TYPE_CHECKING:
    from traptor.supervisor.master import Master

log = logging.getLogger(__name__)

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
        settings = load_settings(config)
        if only_plan:
            sys.exit(_plan(settings, as_json=as_json))
        require_stdout(settings, missing_streams)
        sys.exit(_run(settings))
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


def _plan(settings: Settings, *, as_json: bool) -> ExitCode:
    from traptor.common.terminal import on_stdout, report_console
    from traptor.supervisor.checks.preview import preview, preview_json

    with on_stdout():
        if not as_json:
            return asyncio.run(preview(settings, report_console()))
        click.echo(_json(asyncio.run(preview_json(settings))))
    return ExitCode.OK


def _run(settings: Settings) -> ExitCode:
    locks = _take_locks(settings.supervisor)
    raise_descriptor_limit()
    # The watchdog of systemd sends ABRT: the stack tells where the master hung. Of this thread alone, for the
    # others run on meanwhile, and Python may crash over the stack of one before it comes to this one.
    faulthandler.enable(_STDERR, all_threads=False)
    logs = configure_master_logging(
        settings.logging.level, settings.logging.format, settings.supervisor.log_dir, settings.secrets
    )
    if settings.logging.sentry_dsn:
        logs.report_to(settings.logging.sentry_dsn)
    folders = host.folders(settings.traptor, settings.supervisor)
    for warning in (*settings.warnings, *host.shared_folders(folders)):
        log.warning("configuration", extra=fields(warning=warning))
    try:
        with ForkerKeeper(worker_settings(settings)) as forkers:
            return asyncio.run(_collect(_master(), settings, logs, forkers))
    except TraptorError:
        raise
    except Exception:
        log.critical("the supervisor failed", exc_info=True)
        return ExitCode.FAILURE
    finally:
        logs.close()
        for lock in locks:
            lock.release()


def _master() -> type[Master]:
    """Import the master once there is a forker: the more a forker has in memory, the longer a fork takes."""
    with importing():
        from traptor.supervisor.master import Master
    return Master


async def _collect(
    master: type[Master], settings: Settings, logs: MasterLogs, forkers: ForkerKeeper
) -> ExitCode:
    say = _greet if settings.supervisor.log_dir else _nothing
    return await master(settings, logs, forkers, say).run()


def _greet(line: str) -> None:
    """Print the line on stderr: stdout may be the output."""
    with contextlib.suppress(OSError):
        click.echo(one_line(line), err=True)


def _nothing(_line: str) -> None:
    """Print nothing: the logs themselves are on the terminal."""


def _take_locks(supervisor: SupervisorSection) -> list[RecordLock]:
    locks = []
    for option, folder, name in (
        ("run_dir", supervisor.run_dir, "master.lock"),
        ("state_dir", supervisor.state_dir, "lock"),
    ):
        try:
            make_private(folder)
        except OSError as error:
            problem = f"{folder} cannot be made: {error.strerror}; make it, or name another folder"
            raise ConfigError([Problem(f"[supervisor] {option}", problem)]) from None
        if others := who_may_change(folder):
            raise ConfigError([Problem(f"[supervisor] {option}", f"cannot be trusted: {others}")])
        lock = RecordLock(folder / name)
        lock.take()
        locks.append(lock)
    return locks


def _json(content: object) -> bytes:
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
