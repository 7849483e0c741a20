"""The command behind scripts/chaos."""

from __future__ import annotations

from pathlib import Path

import click
from appchaos_parts.appchaos import AppChaos
from appchaos_parts.options import FILLS
from appchaos_parts.options import Options as AppOptions
from appchaos_parts.report import Report as AppReport
from chaos_parts.chaos import Chaos, Options
from chaos_parts.outputs import To
from chaos_parts.report import Report
from trial.command import carry_out
from trial.folder import TrialFolder, default_place
from trial.interrupt import Interrupt

RATE, APP_RATE = 300.0, 250.0  # X writes no more than 250 posts a second to a stream


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(min=0.1))
@click.option(
    "--api",
    default="v1.1",
    show_default=True,
    type=click.Choice(["v1.1", "v2"]),
    help="v2: one app at X, its worker, its filters and its bill.",
)
@click.option(
    "--to",
    default=To.KAFKA.value,
    show_default=True,
    type=click.Choice([to.value for to in To]),
    help="With --api v1.1: a real Kafka, or files of JSON lines, whose disk is then filled.",
)
@click.option(
    "--connections",
    default=1,
    show_default=True,
    type=click.IntRange(1, 2),
    help="With --api v2: connections of the app, which bring the same posts.",
)
@click.option(
    "--fills",
    default=FILLS[0],
    show_default=True,
    type=click.Choice(FILLS),
    help="With --api v2: how gaps are filled. For searches there are few rules: each query is one.",
)
@click.option("--seed", default=1, show_default=True, help="The same seed does the same things.")
@click.option(
    "--every",
    default=5.0,
    show_default=True,
    type=click.FloatRange(min=0.5),
    help="Seconds between disturbances, and between faults of the sandbox.",
)
@click.option(
    "--rate",
    type=click.FloatRange(1, 5000),
    help="Tweets made a second.  [default: 300; with --api v2 250]",
)
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), help="New folder for logs and the ini."
)
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Figures as JSON.")
def main(
    minutes: float,
    api: str,
    to: str,
    connections: int,
    fills: str,
    seed: int,
    every: float,
    rate: float | None,
    output: Path | None,
    json_file: Path | None,
) -> None:
    """Kill, stop and disturb a whole collection on this machine for so many minutes, and account for it.

    Five connections to a local Twitter that fails at random, a real Kafka and a real Redis. Workers, the
    supervisor, Kafka and Redis are killed; Kafka's topic is deleted; rules, keys and settings change; disks
    are filled. The exit status is 0 when nothing was lost outside of the gap ledger's intervals, the ledger
    is true, and nothing is left behind. With --api v2 one app at X has its worker and its supervisor killed,
    streams ended in every way, requests refused, rules changed, and disks filled; the bill is accounted for,
    too. With --fills gaps are filled afterwards, and filling is disturbed; with --connections 2 either of two
    connections may die unseen.
    """

    def run() -> Report | AppReport:
        interrupt = Interrupt()
        folder = TrialFolder(output or default_place("chaos-output"))
        if api == "v2":
            of_app = AppOptions(minutes, rate or APP_RATE, seed, every, connections, fills)
            report: Report | AppReport = AppChaos(of_app, folder, interrupt, click.echo).run()
        else:
            report = Chaos(
                Options(minutes, rate or RATE, seed, every, To(to)), folder, interrupt, click.echo
            ).run()
        if not report.breaches:
            folder.remove_state()  # otherwise the ledger is needed to find out why
        return report

    carry_out(run, json_file)


if __name__ == "__main__":
    main()
