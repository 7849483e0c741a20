"""What `traptorctl --help` says of its commands, and how they start and end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from support.configuration import KEY, MINIMAL

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


NO_ROOM = "stdout cannot be written: No space left on device"


@pytest.mark.parametrize(
    ("program", "words", "said"),
    [
        ("traptor.supervisor.ctl", ["completion", "bash"], NO_ROOM),
        ("traptor.supervisor.ctl", ["-c", "INI", "compare", "POSTS", "POSTS", "--json"], NO_ROOM),
        ("traptor.supervisor", ["-c", "INI", "--check"], NO_ROOM),
        ("traptor.supervisor", ["-c", "INI", "--plan", "--json"], "Redis at "),
    ],
    ids=["completion", "compare", "check", "an error as JSON"],
)
def test_a_stdout_without_room_is_an_error_in_one_sentence(
    tmp_path: Path, program: str, words: list[str], said: str
) -> None:
    files = {"INI": tmp_path / "traptor.ini", "POSTS": tmp_path / "posts.jsonl"}
    files["INI"].write_text(f"{MINIMAL}[redis]\nurl = unix://{tmp_path}/nobody\n{KEY}")
    files["INI"].chmod(0o600)
    files["POSTS"].touch()
    command = [sys.executable, "-m", program, *(str(files.get(word, word)) for word in words)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: {said}")
    assert "Traceback" not in done.stderr


def test_the_list_of_commands_says_of_each_a_whole_sentence_in_a_terminal_of_80_columns() -> None:
    lists = [
        group.get_help(click.Context(group, terminal_width=_WIDE, **group.context_settings))
        for group in groups_in(main)
    ]
    lines = [line for text in lists for line in text.partition("Commands:")[2].splitlines()]
    assert any(line.split()[:1] == ["load"] for line in lines), "those of the rule kit are seen too"
    assert [line for line in lines if line.endswith("...")] == []
