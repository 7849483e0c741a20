"""The command `compare`: tell whether two files hold the same posts, each in its form."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import orjson

from traptor.common.errors import ExitCode
from traptor.common.text import counted, one_line, safe_json
from traptor.supervisor.ctl.collected.lines import ComparedPost, json_lines, post_of


@dataclass(frozen=True, slots=True)
class PostDifference:
    """One post that is not the same in both files: the file that alone has it, or the parts that differ."""

    post: str
    only_in: str = ""
    parts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.post}: " + (f"only in {self.only_in}" if self.only_in else ", ".join(self.parts))


def differences(
    one: dict[str, ComparedPost], other: dict[str, ComparedPost], names: tuple[str, str]
) -> Iterator[PostDifference]:
    """Yield what is not the same in two files with these names, by post."""
    for post_id in sorted(one.keys() | other.keys()):
        if post_id not in other:
            yield PostDifference(post_id, only_in=names[0])
        elif post_id not in one:
            yield PostDifference(post_id, only_in=names[1])
        elif parts := one[post_id].differs_from(other[post_id]):
            yield PostDifference(post_id, parts=parts)


_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("one", type=_file)
@click.argument("other", type=_file)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(one: Path, other: Path, as_json: bool) -> None:
    """Compare two files of posts: of the output and of its trial.

    Rules, author, time and text must be the same for each id. Exit code 1: something differs.
    """
    posts = _posts(one), _posts(other)
    found = list(differences(*posts, (str(one), str(other))))
    both = len(posts[0].keys() & posts[1].keys())
    if as_json:
        click.echo(safe_json(orjson.dumps({"both": both, "differences": found})))
    else:
        for difference in found:
            click.echo(one_line(str(difference)))
        click.echo(f"{counted(both, 'post')} in both files, {counted(len(found), 'difference')}")
    sys.exit(ExitCode.FAILURE if found else ExitCode.OK)


def _posts(path: Path) -> dict[str, ComparedPost]:
    posts = (post_of(line.found) for line in json_lines(path) if line.found is not None)
    return {post.id: post for post in posts if post is not None}


COMMANDS = (compare,)
