"""Rules as the command line gives them: a file or a query, read to its end with a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from traptor.common.errors import TraptorError
from traptor.common.rules.rule import Limits, RuleType
from traptor.common.text import counted
from traptor.rulekit.changes.wanted import Collected
from traptor.rulekit.commands.parts.kit import a_type, say, stderr_console
from traptor.rulekit.lookups.names import apart
from traptor.rulekit.sources.database import read_database
from traptor.rulekit.sources.opening import Form, form_of, opened
from traptor.rulekit.sources.row import BadRow, Row, Rows, SourceError

MOST_RULES = 1_000_000  # in one load: 200 ids of 5,000
_SHOWN_ROWS = 20
_SHOW_EVERY = 500

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Given:
    """The options that name a source."""

    file: Path | None
    rule_type: RuleType
    form: str | None
    sql: str | None
    query: str | None
    skips_bad: bool

    @contextmanager
    def rows(self) -> Iterator[Rows]:
        """Open the source. Raises SourceError."""
        if (self.file is None) == (self.sql is None):
            raise click.UsageError("name a FILE (- for stdin), or --sql URL with --query")
        if self.sql is not None:
            if not self.query:
                raise click.UsageError("--sql needs --query")
            yield read_database(self.sql, self.query)
            return
        assert self.file is not None
        form = Form(self.form) if self.form else form_of(self.file)
        with opened(self.file, form, self.rule_type) as rows:
            yield rows

    @property
    def name(self) -> str:
        """The source in a word, without secrets."""
        return "a database" if self.file is None else self.file.name


class BadRows(TraptorError):
    """Some rows are no rules, and nothing was changed."""


def source_options(command: F) -> F:
    """Give a command the options of a source, which `given_of` reads."""
    for option in reversed(
        (
            click.argument("file", required=False, type=click.Path(path_type=Path)),
            click.option(
                "--type",
                "rule_type",
                type=a_type,
                metavar="TYPE",
                help="follow, track or locations; required.",
            ),
            click.option(
                "--from",
                "form",
                type=click.Choice([str(form) for form in Form]),
                help="The form of FILE; by default its name tells.",
            ),
            click.option(
                "--sql",
                envvar="TRAPTOR_SQL_URL",
                help="URL of a database, such as postgresql://user@host/name; better given as"
                " TRAPTOR_SQL_URL, because arguments can be seen by other users.",
            ),
            click.option(
                "--query", help="SELECT whose columns are the fields of the rules; value is required."
            ),
            click.option(
                "--skip-bad",
                "skips_bad",
                is_flag=True,
                help="Leave out bad rows instead of stopping at them.",
            ),
        )
    ):
        command = option(command)
    return command


def given_of(options: dict[str, Any]) -> Given:
    """Take the options of a source out of a command's."""
    names = ("file", "rule_type", "form", "sql", "query", "skips_bad")
    taken = {name: options.pop(name) for name in names}
    if taken["rule_type"] is None:
        raise click.UsageError("--type says what the rules are: follow, track or locations")
    if taken["file"] is not None:
        taken["sql"] = None  # from the environment, perhaps
    return Given(**taken)


def refuse_file_beside_value(options: dict[str, Any]) -> None:
    """Raise UsageError where a FILE is named beside --value: one of them would be ignored."""
    if options["file"] is not None:
        raise click.UsageError("name a FILE or --value, not both")


IdsFor = Callable[[Sequence[Row]], Iterable[Row | BadRow]]


def collect(given: Given, limits: Limits, ids_for: IdsFor | None = None) -> Collected:
    """Read all rules; `ids_for` finds the ids for rows with the names of accounts.

    Raises SourceError, BadRows and what `ids_for` raises; bad rows are said on stderr.
    """
    collected = Collected()
    named: list[Row] = []
    with given.rows() as rows, progress_bar("reading") as show:
        unnamed = rows if ids_for is None else apart(rows, given.rule_type, named)
        for count in collected.take(unnamed, given.rule_type, limits):
            if count % _SHOW_EVERY == 0:
                show(count, 0)
            if len(collected.rules) + len(named) > MOST_RULES:
                raise SourceError(
                    f"{given.name} has more than {MOST_RULES:,} rules; load it in parts (nothing was changed)"
                )
    if ids_for is not None and named:
        if not given.skips_bad:
            settle_bad(collected.bad, skips=False)  # before anything is paid for
        for _ in collected.take(ids_for(named), given.rule_type, limits):
            pass
    settle_bad(collected.bad, given.skips_bad)
    doubtful = [rule for rule in collected.rules.values() if rule.doubt]
    for rule in doubtful[:_SHOWN_ROWS]:
        say(f"row {rule.number}: {rule.doubt}")
    if len(doubtful) > _SHOWN_ROWS:
        say(f"... and {counted(len(doubtful) - _SHOWN_ROWS, 'more doubtful row')}")
    return collected


def settle_bad(bad: list[BadRow], skips: bool) -> None:
    """Say which rows are no rules. Raises BadRows unless they are to be skipped."""
    say_rows(bad, "bad row")
    if bad and not skips:
        raise BadRows(
            f"{counted(len(bad), 'bad row')}; nothing was changed: correct them, or leave them out with"
            " --skip-bad"
        )


def say_rows(rows: Sequence[BadRow], noun: str) -> None:
    """Say what is wrong with the first of these rows."""
    for row in rows[:_SHOWN_ROWS]:
        say(f"row {row.number}: {row.reason}")
    if len(rows) > _SHOWN_ROWS:
        say(f"... and {counted(len(rows) - _SHOWN_ROWS, f'more {noun}')}")


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far a step is, on a terminal; the total may be unknown (0)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = stderr_console()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total or None)

        yield show
