"""Completion of command lines: the script for a shell, and the names that a supervisor knows."""

from __future__ import annotations

from collections.abc import Callable

import click
from click.shell_completion import get_completion_class

from traptor.common.errors import TraptorError
from traptor.supervisor.ctl.target import Target

_SHELLS = ("bash", "zsh", "fish")
_WHOLE_WORDS = """
# Bash parts words at colons, of which the names of connections have one, and replaces what follows the last.
_traptorctl_whole_words() {
    local line="${COMP_LINE:0:COMP_POINT}"
    local -a words
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=('')
    local -a COMP_WORDS=("${words[@]}")
    local COMP_CWORD=$((${#words[@]} - 1))
    _traptorctl_completion "$1"
    local whole="${words[COMP_CWORD]}"
    [[ $COMP_WORDBREAKS == *:* ]] && COMPREPLY=("${COMPREPLY[@]#"${whole%"${whole##*:}"}"}")
}
complete -o nosort -F _traptorctl_whole_words traptorctl
"""


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands and names.

    For bash: traptorctl completion bash > /etc/bash_completion.d/traptorctl
    """
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(ctx.find_root().command, {}, "traptorctl", "_TRAPTORCTL_COMPLETE").source())
    if shell == "bash":
        click.echo(_WHOLE_WORDS)


def _names(part: str, member: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    def complete(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
        root = ctx.find_root().params
        try:
            found = Target(root.get("config"), root.get("socket")).client.get(part)
        except (TraptorError, click.UsageError):
            return []  # a completion has nobody to tell
        return [one[member] for one in found if one[member].startswith(incomplete)]

    return complete


connection_names = _names("connections", "connection")
key_names = _names("keys", "key")

COMMANDS = (completion,)
