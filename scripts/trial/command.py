"""What the commands that disturb a collection have in common: carry it out, print the report, exit by it."""

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

_INTERRUPTED = 130  # as shells say it


class Report(Protocol):
    """What a run found out."""

    @property
    def breaches(self) -> list[str]:
        """What did not hold."""

    def lines(self) -> Iterable[str]:
        """It all, to be read."""

    def as_json(self) -> Mapping[str, Any]:
        """It all, for programs."""


def carry_out(run: Callable[[], Report], json_file: Path | None) -> NoReturn:
    """Run and exit: 0 where everything held. What cannot be run is said in a line."""
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
