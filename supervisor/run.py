"""Run a collection in the foreground, from the ini to the end of its last worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import click

from traptor.common.config.sections.supervisor import SupervisorSection
from traptor.common.config.settings import Settings, load_settings
from traptor.common.errors import ConfigError, ExitCode, Problem, TraptorError
from traptor.common.files.folders import make_private
from traptor.common.logs.event import fields
from traptor.common.logs.master import MasterLogs, configure_master_logging
from traptor.common.signals import HANDLED_SIGNALS
from traptor.common.text import one_line
from traptor.supervisor.host.importing import importing
from traptor.supervisor.host.inherited import require_stdout
from traptor.supervisor.host.trust import require_trust, written_folders
from traptor.supervisor.state.locks import RecordLock
from traptor.supervisor.workers.forking.keeper import ForkerKeeper
from traptor.supervisor.workers.settings import worker_settings

if TYPE_CHECKING:
    from traptor.supervisor.master import Master

log = logging.getLogger(__name__)

_REHEARSAL = "rehearsal"


def run(config: Path, missing_streams: Collection[int], forkers: ForkerKeeper) -> ExitCode:
    """Collect until a signal ends it. Raises TraptorError for what keeps it from beginning."""
    settings = load_settings(config)
    require_stdout(settings, missing_streams)
    require_trust(written_folders(settings.traptor, settings.supervisor))
    locks = _take_locks(settings.supervisor)
    logs = configure_master_logging(
        settings.logging.level, settings.logging.format, settings.supervisor.log_dir, settings.secrets
    )
    if settings.logging.sentry_dsn:
        logs.report_to(settings.logging.sentry_dsn)
    for warning in settings.warnings:
        log.warning("configuration", extra=fields(warning=warning))
    # The forker rehearses from now on, with files in run_dir, and is to be ended in good order: a signal
    # waits until the master listens.
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
    try:
        forkers.prepare(worker_settings(settings), settings.supervisor.run_dir / _REHEARSAL)
        return asyncio.run(_collect(_master(), settings, logs, forkers))
    except TraptorError:
        raise
    except Exception:
        log.critical("the supervisor failed", exc_info=True)
        return ExitCode.FAILURE
    finally:
        forkers.end()  # with any worker that is left: nobody else may begin before
        logs.close()
        for lock in locks:
            lock.release()


def _master() -> type[Master]:
    """Import the master, while the forker makes ready what workers use."""
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
        lock = RecordLock(folder / name)
        lock.take()
        locks.append(lock)
    return locks
