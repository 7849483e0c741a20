"""The command traptor-sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from math import isfinite
from pathlib import Path
from typing import Any

import click

from traptor.sandbox.archive import KEEP
from traptor.sandbox.errors import BadInput
from traptor.sandbox.faults.soakplan import DEFAULT_EVERY_S, SoakPlan
from traptor.sandbox.rulesource import RedisRules
from traptor.sandbox.server import Sandbox
from traptor.sandbox.tweets.replay import Replay, load_replay
from traptor.sandbox.tweets.rules import load_rules
from traptor.sandbox.v1.accounts import Accounts, load_accounts
from traptor.sandbox.v1.filters import Limits
from traptor.sandbox.v1.settings import Settings
from traptor.sandbox.v2.options import v2_options, v2_settings
from traptor.sandbox.wire.encoding import Chunking
from traptor.sandbox.wire.framing import Framing

_FILE = click.Path(dir_okay=False, path_type=Path)
_AT_LEAST_0 = click.IntRange(min=0)
_AT_LEAST_1 = click.IntRange(min=1)


@click.command(
    epilog="Example: traptor-sandbox --port 8080 --rules rules.jsonl --accounts keys.yml --rate 200"
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0: a free one.")
@click.option("--rules", type=_FILE, help='JSON lines {"type": ..., "value": ...} to make tweets for.')
@click.option(
    "--redis",
    "redis_url",
    metavar="URL",
    help="Make tweets for the rules that a collector finds there, and for others when they change.",
)
@click.option("--accounts", type=_FILE, help="YAML file with the list `apikeys:`.")
@click.option("--no-auth", is_flag=True, help="Do not check signatures, whatever accounts there are.")
@click.option(
    "--rate", default=50.0, show_default=True, type=click.FloatRange(min=0), help="Tweets a second."
)
@click.option(
    "--noise", default=0.2, show_default=True, type=click.FloatRange(0, 1), help="Share for no rule."
)
@click.option(
    "--edits", default=0.0, show_default=True, type=click.FloatRange(0, 1), help="Share edited soon."
)
@click.option("--seed", default=1, show_default=True, help="The same seed and rules make the same tweets.")
@click.option("--replay", type=_FILE, help="JSON lines to publish instead of made tweets.")
@click.option(
    "--speed", type=click.FloatRange(min=0, min_open=True), help="Replay by its own times, so fast."
)
@click.option("--keep", default=1_000_000, show_default=True, type=_AT_LEAST_1, help="Tweets in the record.")
@click.option(
    "--archive", default=KEEP, show_default=True, type=_AT_LEAST_1, help="Tweets that searches find."
)
@click.option(
    "--connects", default=5, show_default=True, type=_AT_LEAST_0, help="An account's budget; 0: any."
)
@click.option(
    "--connects-window", default=300.0, show_default=True, type=click.FloatRange(min=0), help="Seconds."
)
@click.option(
    "--max-connections", default=1, show_default=True, type=_AT_LEAST_1, help="Of one account at once."
)
@click.option(
    "--max-track", default=400, show_default=True, type=_AT_LEAST_0, help="Phrases of a connection."
)
@click.option("--max-follow", default=5000, show_default=True, type=_AT_LEAST_0, help="Ids of a connection.")
@click.option(
    "--max-locations", default=25, show_default=True, type=_AT_LEAST_0, help="Boxes of a connection."
)
@click.option(
    "--keep-alive",
    default=30.0,
    show_default=True,
    type=click.FloatRange(min=0.01),
    help="Seconds of silence.",
)
@click.option(
    "--chunking", default="whole", show_default=True, type=click.Choice([str(one) for one in Chunking])
)
@click.option(
    "--framing", default="chunked", show_default=True, type=click.Choice([str(one) for one in Framing])
)
@click.option(
    "--tls",
    type=_FILE,
    metavar="FILE",
    help="Listen by TLS too; write the certificate of its authority here.",
)
@click.option(
    "--queue", default=10_000, show_default=True, type=_AT_LEAST_1, help="Messages a slow reader may owe."
)
@click.option("--soak", type=int, metavar="SEED", help="Strike random accounts with random faults.")
@click.option(
    "--soak-every",
    default=DEFAULT_EVERY_S,
    show_default=True,
    type=click.FloatRange(min=0.01),
    help="Seconds between strikes.",
)
@click.option(
    "--replaced-message", is_flag=True, help="Send disconnect code 7 to a connection that is replaced."
)
@v2_options
def main(**options: Any) -> None:
    """Run a local Twitter streaming server, v1.1 and X API v2, until TERM or INT."""
    try:
        is_open = options["no_auth"] or options["accounts"] is None
        asyncio.run(_serve(_sandbox(options), options["redis_url"], is_open=is_open))
    except BadInput as problem:
        raise click.UsageError(str(problem)) from None


def _sandbox(options: dict[str, Any]) -> Sandbox:
    if options["speed"] is not None and options["replay"] is None:
        raise BadInput("--speed goes with --replay only")
    if options["redis_url"] is not None and options["rules"] is not None:
        raise BadInput("--redis and --rules do not go together")
    if odd := [
        name for name, number in options.items() if isinstance(number, float) and not isfinite(number)
    ]:
        raise BadInput(f"--{odd[0].replace('_', '-')}: a finite number is expected")
    most = options["max_connections"]
    known = load_accounts(options["accounts"], most) if options["accounts"] else []
    accounts = Accounts(known, is_open=options["no_auth"], max_connections=most)
    replay = Replay(load_replay(options["replay"]), options["speed"]) if options["replay"] else None
    sandbox = Sandbox(_settings(options), accounts, replay, v2=v2_settings(options))
    if options["rules"]:
        sandbox.set_rules(*load_rules(options["rules"]))
    return sandbox


def _settings(options: dict[str, Any]) -> Settings:
    return Settings(
        host=options["host"],
        port=options["port"],
        rate=options["rate"],
        noise=options["noise"],
        edits=options["edits"],
        seed=options["seed"],
        keep=options["keep"],
        archive=options["archive"],
        connects=options["connects"],
        connects_window_s=options["connects_window"],
        keep_alive_s=options["keep_alive"],
        chunking=Chunking(options["chunking"]),
        framing=Framing(options["framing"]),
        ca_file=options["tls"],
        queue_messages=options["queue"],
        says_replaced=options["replaced_message"],
        soak=None if options["soak"] is None else SoakPlan(options["soak"], options["soak_every"]),
        limits=Limits(options["max_track"], options["max_follow"], options["max_locations"]),
    )


async def _serve(sandbox: Sandbox, redis_url: str | None, is_open: bool) -> None:
    source = None if redis_url is None else RedisRules(redis_url, sandbox.set_rules, _tell)
    if source is not None:
        await source.begin()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await sandbox.start()
    with contextlib.suppress(BrokenPipeError):  # the reader may be gone
        click.echo(f"sandbox listening on {sandbox.url}")
        if sandbox.tls_url:
            click.echo(f"by TLS on {sandbox.tls_url}")
    if is_open:
        _tell("signatures are not checked: every OAuth header is an account")
    try:
        await sandbox.run(stop, *([] if source is None else [source.follow()]))
    finally:
        await sandbox.stop()


def _tell(text: str) -> None:
    click.echo(text, err=True)
