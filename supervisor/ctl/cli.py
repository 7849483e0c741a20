"""The command `traptorctl`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from traptor.common import __version__
from traptor.common.errors import ConfigError, TraptorError
from traptor.common.terminal import on_stdout
from traptor.common.text import one_line
from traptor.supervisor.ctl import actions, completion, explaining, history, keys, local, passing, state
from traptor.supervisor.ctl.collected import compare
from traptor.supervisor.ctl.target import Target

if TYPE_CHECKING:
    from traptor.rulekit.commands.parts.seams import Seams

_RULES = "rules"
_COMPLIANCE = "compliance"


class _Commands(click.Group):
    """A group whose commands end with a sentence and an exit code instead of a traceback.

    The commands of the rule kit, and those that ask X, are imported when they are named: they need what
    the others do not.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names."""
        return sorted([*super().list_commands(ctx), _RULES, _COMPLIANCE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name."""
        if cmd_name == _RULES:
            from traptor.rulekit.commands.group import rules

            return rules
        if cmd_name == _COMPLIANCE:
            from traptor.supervisor.ctl.collected.compliance import compliance

            return compliance
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with on_stdout():
                return super().invoke(ctx)
        except ConfigError as error:
            for problem in error.problems:
                click.echo(f"error: {one_line(str(problem))}", err=True)
            ctx.exit(error.exit_code)
        except TraptorError as error:
            click.echo(f"error: {one_line(str(error))}", err=True)
            ctx.exit(error.exit_code)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 ok, 1 failure, 2 usage, 3 no supervisor answers, 78 bad configuration; those of"
    " `health` are 0 ok, 1 degraded, 2 down; `compliance check` has more."
    " A read command with --json prints JSON for scripts.",
)
@click.option(
    "-c",
    "--config",
    envvar="TRAPTOR_CONFIG",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The supervisor's ini. What asks a running supervisor reads [supervisor] of it alone, and no key.",
)
@click.option(
    "--socket",
    envvar="TRAPTOR_SOCKET",
    type=click.Path(path_type=Path),
    help="The supervisor's control socket, instead of an ini.",
)
@click.version_option(__version__, prog_name="traptorctl")
@click.pass_context
def main(ctx: click.Context, config: Path | None, socket: Path | None) -> None:
    """Look at a running supervisor, and act on it."""
    ctx.obj = target = Target(config, socket)
    if ctx.invoked_subcommand == _RULES:
        from traptor.rulekit.commands.parts.seams import KEY

        ctx.meta[KEY] = lambda: _seams(target)


def _seams(target: Target) -> Seams:
    """Return what the commands of the rule kit may ask of this side; imported when one asks."""
    from traptor.supervisor.ctl.rules.seams import seams_of

    return seams_of(target)


for module in (state, explaining, history, actions, keys, passing, local, completion, compare):
    for command in module.COMMANDS:
        main.add_command(command)
