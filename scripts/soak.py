"""The command behind scripts/soak."""

from __future__ import annotations

from pathlib import Path

import click
from soak_parts.report import Report
from soak_parts.soak import Options, Soak
from trial.command import carry_out
from trial.folder import TrialFolder, default_place
from trial.interrupt import Interrupt


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(min=0.1))
@click.option(
    "--rate", default=300.0, show_default=True, type=click.FloatRange(1, 5000), help="Tweets made a second."
)
@click.option("--seed", default=1, show_default=True, help="The same seed disturbs in the same way.")
@click.option(
    "--every",
    default=5.0,
    show_default=True,
    type=click.FloatRange(min=0.5),
    help="Seconds between disturbances, and between faults of the sandbox.",
)
@click.option(
    "--sample",
    default=2.0,
    show_default=True,
    type=click.FloatRange(min=0.2),
    help="Seconds between looks.",
)
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), help="New folder for output and logs."
)
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Figures as JSON.")
def main(
    minutes: float,
    rate: float,
    seed: int,
    every: float,
    sample: float,
    output: Path | None,
    json_file: Path | None,
) -> None:
    """Disturb a whole collection on this machine in every way for so many minutes, and account for it.

    Five connections; rules change, settings are reloaded, keys come and go, workers are killed, and the local
    Twitter fails at random. The exit status is 0 when nothing was lost outside reported gaps, and neither
    descriptors nor threads nor memory of the supervisor grew.
    """

    def run() -> Report:
        options = Options(minutes, rate, seed, every, sample)
        folder = TrialFolder(output or default_place("soak-output"))
        report = Soak(options, folder, Interrupt(), lambda text: click.echo(text)).run()
        folder.remove_state()
        return report

    carry_out(run, json_file)


if __name__ == "__main__":
    main()
