"""The group of commands `rules`."""

from __future__ import annotations

from pathlib import Path

import click

from traptor.rulekit.commands.asking import price, refresh_names
from traptor.rulekit.commands.editing import history, move, remove, undo
from traptor.rulekit.commands.figures import stats
from traptor.rulekit.commands.foreseeing import plan, validate
from traptor.rulekit.commands.loading import add, diff, load
from traptor.rulekit.commands.parts.kit import RulesGroup
from traptor.rulekit.commands.reading import export, list_rules, show
from traptor.rulekit.commands.trying import try_value


@click.group(cls=RulesGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c",
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The ini, if it was not named before.",
)
def rules(config: Path | None) -> None:
    """Load, list, change and count rules.

    No supervisor needs to run.
    """


for command in (
    load,
    diff,
    plan,
    validate,
    price,
    try_value,
    add,
    remove,
    move,
    list_rules,
    show,
    export,
    stats,
    history,
    undo,
    refresh_names,
):
    rules.add_command(command)
