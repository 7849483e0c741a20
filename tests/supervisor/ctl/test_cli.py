"""What `traptorctl --help` says of its commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click

from traptor.supervisor.ctl.cli import main

_WIDE = 80 - 2  # what click makes of 80 columns


SLOW = {"pydantic", "redis", "asyncio", "aiohttp", "traptor.common.config.settings"}


def test_a_command_that_asks_a_supervisor_starts_without_what_only_others_need() -> None:
    """A container asks for its health every 30 s: the imports were most of what that takes."""
    program = "import sys, traptor.supervisor.ctl.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert SLOW & set(done.stdout.split()) == set()


def groups_in(group: click.Group) -> Iterator[click.Group]:
    """Yield the group and those within it."""
    yield group
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from groups_in(command)


def test_the_list_of_commands_says_of_each_a_whole_sentence_in_a_terminal_of_80_columns() -> None:
    lists = [group.get_help(click.Context(group, terminal_width=_WIDE)) for group in groups_in(main)]
    lines = [line for text in lists for line in text.partition("Commands:")[2].splitlines()]
    assert any(line.split()[:1] == ["load"] for line in lines), "those of the rule kit are seen too"
    assert [line for line in lines if line.endswith("...")] == []
