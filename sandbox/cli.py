"""The command traptor-sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any

import click

from traptor.sandbox.errors import BadInput
from traptor.sandbox.rulesource import RedisRules
from traptor.sandbox.server import Sandbox
from traptor.sandbox.tweets.replay import Replay, load_replay
from traptor.sandbox.tweets.rules import load_rules
from traptor.sandbox.v1.accounts import Accounts, load_accounts
from traptor.sandbox.v1.options import V1_OPTIONS, v1_settings
from traptor.sandbox.v2.options import V2_OPTIONS, v2_settings

_FILE = click.Path(dir_okay=False, path_type=Path)
_AT_LEAST_1 = click.IntRange(min=1)
_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _with(*options: _Decorator) -> _Decorator:
    """Return what adds the options to a command, in their order in its help."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: traptor-sandbox --port 8080 --rules rules.jsonl --accounts keys.yml --rate 200",
)
@click.option("--rules", type=_FILE, help='JSON lines {"type": ..., "value": ...} to make tweets for.')
@click.option(
    "--redis",
    "redis_url",
    metavar="URL",
    help="Make tweets for the rules that a collector finds there, and for others when they change.",
)
@click.option("--accounts", type=_FILE, help="YAML file with the list `apikeys:`.")
@click.option("--no-auth", is_flag=True, help="Do not check signatures, whatever accounts there are.")
@click.option("--replay", type=_FILE, help="JSON lines to publish instead of made tweets.")
@click.option(
    "--speed", type=click.FloatRange(min=0, min_open=True), help="Replay by its own times, so fast."
)
@click.option(
    "--max-connections", default=1, show_default=True, type=_AT_LEAST_1, help="Of one account at once."
)
@_with(*V1_OPTIONS, *V2_OPTIONS)
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
    sandbox = Sandbox(v1_settings(options), accounts, replay, v2=v2_settings(options))
    if options["rules"]:
        sandbox.set_rules(*load_rules(options["rules"]))
    return sandbox


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
