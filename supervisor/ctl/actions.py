"""The commands that change something: `restart`, `stop`, `start`, `reload`."""

from __future__ import annotations

import click

from traptor.supervisor.ctl.completion import connection_names
from traptor.supervisor.ctl.target import Target, pass_target

_connection = click.argument("connection", shell_complete=connection_names)


@click.command()
@_connection
@pass_target
def restart(target: Target, connection: str) -> None:
    """Replace the worker of CONNECTION.

    Without a gap where its keys allow it.
    """
    answer = target.client.post("connections", connection, "restart")
    click.echo(
        f"{connection}: its worker (pid {answer['pid']}) is being replaced; `status` shows how far it is"
    )


@click.command()
@_connection
@pass_target
def stop(target: Target, connection: str) -> None:
    """Stop CONNECTION until it is started again.

    Also over restarts of the supervisor. Its rules are not collected.
    """
    target.client.post("connections", connection, "stop")
    click.echo(f"{connection}: stopped; its rules are not collected until `traptorctl start {connection}`")


@click.command()
@_connection
@pass_target
def start(target: Target, connection: str) -> None:
    """Let CONNECTION, which was stopped, stream again."""
    target.client.post("connections", connection, "start")
    click.echo(f"{connection}: started; `status` shows when it collects")


@click.command()
@click.option("--accept-empty", is_flag=True, help="Believe Redis where all rules of a group vanished.")
@pass_target
def reload(target: Target, accept_empty: bool) -> None:
    """Read the ini, the keys and the rules again, as HUP does.

    Then say what is wrong with them, if anything is.
    """
    outcome = target.client.post("reload", body={"accept_empty": accept_empty})
    click.echo("reloaded; `status` shows what becomes of it")
    if outcome["restart"]:
        click.echo(f"these options need a restart of the supervisor: {', '.join(outcome['restart'])}")
    if outcome["accepted"]:
        click.echo(f"taken for empty: {', '.join(outcome['accepted'])}")


COMMANDS = (restart, stop, start, reload)
