"""The common part of the commands that disturb a collection: run, print the report, exit accordingly."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, Protocol

import click
import orjson
from redis.exceptions import RedisError

from traptor.common.errors import ExitCode, TraptorError
from traptor.sandbox.errors import SandboxError

_INTERRUPTED = 130  # as shells report it


class Report(Protocol):
    """The result of a run."""

    @property
    def breaches(self) -> list[str]:
        """The violated promises."""

    def lines(self) -> Iterable[str]:
        """Yield the report for people."""

    def as_json(self) -> Mapping[str, Any]:
        """Return the report for programs."""


def carry_out(run: Callable[[], Report], json_file: Path | None) -> NoReturn:
    """Run and exit, with 0 when everything held. Errors are reported in one line."""
    try:
        report = run()
    except (TraptorError, SandboxError, RedisError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(ExitCode.FAILURE)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    for line in report.lines():
        click.echo(line)
    if json_file is not None:
        json_file.write_bytes(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2))
    sys.exit(ExitCode.FAILURE if report.breaches else ExitCode.OK)
