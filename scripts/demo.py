"""The command behind scripts/demo."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from demo_parts.demo import Demo, Options
from demo_parts.live import LiveFilters
from demo_parts.outputs import FileOutput, KafkaOutput, Output
from demo_parts.picture import Show
from demo_parts.plain import PlainLines
from demo_parts.replaced import ReplacedWorker
from demo_parts.screen import Screen
from demo_parts.story import Story
from redis.exceptions import RedisError
from rich.console import Console
from trial.folder import TrialFolder, default_place
from trial.interrupt import Interrupt

from traptor.common.errors import ExitCode, TraptorError
from traptor.common.terminal import say, take_any_text
from traptor.sandbox.errors import SandboxError

_INTERRUPTED = 130  # as shells report it


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--seconds", type=click.FloatRange(min=1), help="Collect so long, then end. Default: until Ctrl-C."
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="New folder for the output (JSON lines) and the logs. Default: a new one in ./demo-output.",
)
@click.option(
    "--rate", default=150.0, show_default=True, type=click.FloatRange(1, 5000), help="Tweets made a second."
)
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same users and tweets.")
@click.option(
    "--kafka", "with_kafka", is_flag=True, help="Deliver to a real Kafka, which needs Java and Maven here."
)
@click.option(
    "--api",
    default="v1.1",
    show_default=True,
    type=click.Choice(["v1.1", "v2"]),
    help="v2: all rules on one app at X, which counts what it costs.",
)
@click.option("--no-color", is_flag=True, help="No colours; NO_COLOR in the environment does the same.")
def main(
    seconds: float | None,
    output: Path | None,
    rate: float,
    seed: int,
    with_kafka: bool,
    api: str,
    no_color: bool,
) -> None:
    """Run a whole collection on this machine: Redis with 5,500 follow rules and 352 track rules, a local
    Twitter, and traptor-supervisor with three workers. After a while some track rules change, and one worker
    is replaced. With --api v2 one worker serves all rules; they change while it streams.

    The exit status is 0 when no tweet was lost and the supervisor did what it should; with --api v2, when the
    bill agrees with its own count, too.
    """
    interrupt = Interrupt()
    take_any_text()
    console = Console(no_color=no_color or None, markup=False, emoji=False, highlight=False)
    try:
        folder = TrialFolder(output or default_place("demo-output"))
        place = KafkaOutput(folder) if with_kafka else FileOutput(folder)
        story: Story = LiveFilters() if api == LiveFilters.api else ReplacedWorker()
        sys.exit(_run(Options(seconds, rate, seed), story, folder, place, interrupt, console))
    except (TraptorError, SandboxError, RedisError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(ExitCode.FAILURE)


def _run(
    options: Options,
    story: Story,
    folder: TrialFolder,
    place: Output,
    interrupt: Interrupt,
    console: Console,
) -> int:
    is_plain = not console.is_terminal or console.is_dumb_terminal
    show: Show = PlainLines(console) if is_plain else Screen(console)
    try:
        summary = Demo(options, story, folder, place, interrupt, show).run()
    except KeyboardInterrupt:
        summary = None
    finally:
        try:
            show.close()  # fails when the terminal is gone
        finally:
            folder.remove_state()
    if summary is None:
        click.echo("Ended at once; nothing was judged.")
        return _INTERRUPTED
    for line in summary.lines():
        say(console, line)
    return ExitCode.OK if summary.is_good else ExitCode.FAILURE


if __name__ == "__main__":
    main()
