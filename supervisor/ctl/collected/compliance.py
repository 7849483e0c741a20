"""The commands `compliance check` and `compliance jobs`: what of the collected X wants deleted."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from traptor.common.config.keys.key import ApiKey
from traptor.common.config.settings import Settings, load_settings
from traptor.common.errors import ExitCode, TraptorError
from traptor.common.files.opening import open_own
from traptor.common.text import counted, one_line
from traptor.supervisor.ctl.collected.asking import asked, key_of
from traptor.supervisor.ctl.collected.checking import Checking
from traptor.supervisor.ctl.collected.idlist import IdList, gathered
from traptor.supervisor.ctl.collected.order import CheckOrder, CheckProgress, go_on, rest_of
from traptor.supervisor.ctl.printing.tables import as_json, print_json_line, print_table, table
from traptor.supervisor.ctl.target import Target, pass_target
from traptor.supervisor.xapi.compliance import Job, JobType
from traptor.supervisor.xapi.failures import XFailure

SOMETHING_TO_DO = 4
"""The exit code of a check that found something to be deleted or changed."""
BAD_LINES = 5
"""The exit code of a check that left lines out, ids that X does not take for ids, or results."""
_INTERRUPTED = 130
_COLUMNS = ("JOB", "TYPE", "STATUS", "MADE", "NAME")
_LONGEST_NAME = 64

_key = click.option("--key", metavar="NAME", help="The key to ask with; default: the first that can.")
_type = click.Choice([kind.value for kind in JobType])


@click.group()
def compliance() -> None:
    """Ask X what of the collected may no longer be kept. Needs -c, and no supervisor."""


@compliance.command()
@click.argument("idfile", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--type", "kind", type=_type, default=JobType.TWEETS.value, show_default=True)
@click.option("--job", metavar="ID", help="Go on with a job that was made before.")
@click.option(
    "--from-line", type=click.IntRange(1), default=1, metavar="N", help="Leave out the lines before this one."
)
@click.option(
    "--wait/--no-wait", default=True, help="Whether to wait for the results, or print the job's id."
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file for the results."
)
@_key
@pass_target
def check(
    target: Target,
    idfile: Path | None,
    kind: str,
    job: str | None,
    from_line: int,
    wait: bool,
    output: Path | None,
    key: str | None,
) -> None:
    """Check the ids of IDFILE: an id a line, or JSON lines of tweets.

    Prints a JSON line for each id about which something must be done: `id`, `action` (`delete`, `scrub_geo`,
    or `rehydrate`: fetch it again) and `reason`. A file of more ids than X takes in a job is checked by
    several, one after the other. Exit codes: 0 nothing is to be done, 4 something is, 5 lines
    without an id were left out, 1 failure.
    """
    if idfile is None and from_line > 1:
        raise click.UsageError("name the file that has the line")
    if idfile is None and (job is None or not wait):
        raise click.UsageError("name a file of ids, or with --job ID a job that has its ids")
    settings = load_settings(target.config)
    order = CheckOrder(settings, key_of(settings, key), idfile, from_line, JobType(kind), job, output)
    progress = CheckProgress(job, None if idfile is None else from_line, has_ids=idfile is None)
    try:
        sys.exit(asyncio.run(_checked(order, progress) if wait else _begun(order, progress)))
    except KeyboardInterrupt:
        if commands := go_on(order, progress):
            _say(f"{'' if progress.job is None else 'the job goes on at X; '}to go on: {commands}")
        sys.exit(_INTERRUPTED)
    except TraptorError as error:
        if (commands := go_on(order, progress)) and (isinstance(error, XFailure) or progress.done):
            raise TraptorError(f"{error}; to go on: {commands}") from None
        raise


@compliance.command()
@click.option("--type", "kind", type=_type, help="Only jobs of this type.")
@_key
@as_json
@pass_target
def jobs(target: Target, kind: str | None, key: str | None, as_json: bool) -> None:
    """List the app's jobs, as long as X remembers them."""
    settings = load_settings(target.config)
    kinds = tuple(JobType) if kind is None else (JobType(kind),)
    found = asyncio.run(_listed(settings, key_of(settings, key), kinds))
    if as_json:
        for one in found:
            print_json_line(_shown(one))
    elif not found:
        click.echo("no jobs")
    else:
        print_table(table(_COLUMNS, ((j.id, j.type, j.status, j.created_at, j.name) for j in found)))


# ---- what they do


async def _listed(settings: Settings, key: ApiKey, kinds: tuple[JobType, ...]) -> list[Job]:
    async with asked(settings, key) as (client, _):
        return [job for kind in kinds for job in await client.jobs(kind)]


async def _begun(order: CheckOrder, progress: CheckProgress) -> int:
    """Make a job, give it the first ids and print its id; return the exit code."""
    async with asked(order.settings, order.key) as app:
        ids = await _upload(order, Checking(*app, _say), progress)
    click.echo(one_line(str(progress.job)))
    if ids.rest is not None:
        _say(f"X takes no more ids in a job; once it is complete: {rest_of(order, ids.rest)}")
    return BAD_LINES if ids.bad else ExitCode.OK


async def _checked(order: CheckOrder, progress: CheckProgress) -> int:
    """Carry jobs through, one after the other, and print their results; return the exit code."""
    bad, uploaded = 0, None
    async with asked(order.settings, order.key) as app:
        checking = Checking(*app, _say)
        with _results(order.output) as out:
            while progress.job is not None or progress.rest is not None:
                if progress.rest is not None:
                    ids = await _upload(order, checking, progress)
                    bad, uploaded = bad + ids.bad, (uploaded or 0) + ids.count
                await _collect(checking, progress, out)
    _say(checking.summary(uploaded))
    if bad or checking.unknown or checking.unreadable:
        return BAD_LINES
    return SOMETHING_TO_DO if checking.events else ExitCode.OK


async def _collect(checking: Checking, progress: CheckProgress, out: IO[bytes]) -> None:
    """Wait for the job at work, if there is one, and write its results."""
    if progress.job is None:
        return
    job = await checking.wait(progress.job)
    async for line in checking.results(job):
        out.write(line)
    out.flush()
    progress.finish()


async def _upload(order: CheckOrder, checking: Checking, progress: CheckProgress) -> IdList:
    """Give the ids that are in no job yet to the job at work, or to a new one, as many as X takes."""
    assert order.idfile is not None
    assert progress.rest is not None
    with gathered(order.idfile, order.kind, _say, progress.rest) as ids:
        if not ids.count and not progress.done:
            raise TraptorError(f"{order.idfile}: no ids from line {progress.rest} on")
        if ids.count:
            if progress.job is None:
                job = await checking.make(order.kind, _name(order.settings))
                progress.make(job.id)
            else:
                job = await checking.show(progress.job)
            await checking.upload(job, ids)
            more = "" if ids.rest is None else f"; those from line {ids.rest} on follow in another job"
            _say(f"job {job.id}: {counted(ids.count, 'id')} uploaded with key {order.key.name}{more}")
            progress.upload(ids.rest)
        else:
            progress.rest = None  # nothing but lines without an id
        return ids


def _name(settings: Settings) -> str:
    return f"traptor/{settings.traptor.collection}"[:_LONGEST_NAME]


# ---- the terminal


def _say(text: str) -> None:
    click.echo(one_line(text), err=True)


def _shown(job: Job) -> dict[str, str]:
    """Return what may be shown of a job: its addresses are secrets."""
    shown = ("id", "type", "status", "name", "created_at", "upload_expires_at", "download_expires_at")
    return {name: getattr(job, name) for name in shown}


@contextmanager
def _results(path: Path | None) -> Iterator[IO[bytes]]:
    """Open where results go; a file gets its name once it is whole. Raises TraptorError."""
    if path is None:
        out = sys.stdout.buffer
        yield out
        out.flush()
        return
    nascent = path.with_name(f".{path.name}.part")
    try:
        nascent.unlink(missing_ok=True)
        with os.fdopen(open_own(nascent, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            yield file
        os.replace(nascent, path)
    except OSError as error:
        raise TraptorError(f"{path} cannot be written: {error.strerror}; name another file") from None
    finally:
        nascent.unlink(missing_ok=True)
