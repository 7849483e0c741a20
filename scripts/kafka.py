"""The command behind scripts/kafka."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

import click
from kafka_parts.broker import KafkaProcess
from kafka_parts.jars import cache_folder, version

from traptor.common.errors import ExitCode, TraptorError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="The port. Default: a free one.")
@click.option(
    "--topic",
    "topics",
    multiple=True,
    default=["traptor"],
    show_default=True,
    help="A topic to create, with three partitions; may be given several times.",
)
def main(port: int, topics: tuple[str, ...]) -> None:
    """Run one Kafka broker on 127.0.0.1 until Ctrl-C; its messages are gone then."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    try:
        with tempfile.TemporaryDirectory(prefix="traptor-kafka-") as folder:
            _run(KafkaProcess(Path(folder), port), topics)
    except TraptorError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(ExitCode.FAILURE)


def _run(broker: KafkaProcess, topics: tuple[str, ...]) -> None:
    if not cache_folder().exists():
        click.echo(f"fetching Kafka {version()} into {cache_folder()} (once, 43 MB) ...", err=True)
    try:
        broker.start()
        broker.ensure_topics(topics)
        click.echo(f"bootstrap_servers = {broker.bootstrap_servers}")
        click.echo(f"Kafka {version()} runs, with the topics {', '.join(topics)}. Ctrl-C ends it.", err=True)
        if code := broker.wait():
            raise TraptorError(f"Kafka ended with {code}")
    finally:
        broker.stop()


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(ExitCode.OK)


if __name__ == "__main__":
    main()
