"""The options of the command that set up tweets, connections and the wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from traptor.sandbox.archive import KEEP
from traptor.sandbox.faults.soakplan import DEFAULT_EVERY_S, SoakPlan
from traptor.sandbox.v1.filters import Limits
from traptor.sandbox.v1.settings import Settings
from traptor.sandbox.wire.encoding import Chunking
from traptor.sandbox.wire.framing import Framing

_FILE = click.Path(dir_okay=False, path_type=Path)
_AT_LEAST_0 = click.IntRange(min=0)
_AT_LEAST_1 = click.IntRange(min=1)
V1_OPTIONS = (
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
    click.option(
        "--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0: a free one."
    ),
    click.option(
        "--rate", default=50.0, show_default=True, type=click.FloatRange(min=0), help="Tweets a second."
    ),
    click.option(
        "--noise", default=0.2, show_default=True, type=click.FloatRange(0, 1), help="Share for no rule."
    ),
    click.option(
        "--edits", default=0.0, show_default=True, type=click.FloatRange(0, 1), help="Share edited soon."
    ),
    click.option(
        "--seed", default=1, show_default=True, help="The same seed and rules make the same tweets."
    ),
    click.option(
        "--keep", default=1_000_000, show_default=True, type=_AT_LEAST_1, help="Tweets in the record."
    ),
    click.option(
        "--archive", default=KEEP, show_default=True, type=_AT_LEAST_1, help="Tweets that searches find."
    ),
    click.option(
        "--connects", default=5, show_default=True, type=_AT_LEAST_0, help="An account's budget; 0: any."
    ),
    click.option(
        "--connects-window", default=300.0, show_default=True, type=click.FloatRange(min=0), help="Seconds."
    ),
    click.option(
        "--max-track", default=400, show_default=True, type=_AT_LEAST_0, help="Phrases of a connection."
    ),
    click.option(
        "--max-follow", default=5000, show_default=True, type=_AT_LEAST_0, help="Ids of a connection."
    ),
    click.option(
        "--max-locations", default=25, show_default=True, type=_AT_LEAST_0, help="Boxes of a connection."
    ),
    click.option(
        "--keep-alive",
        default=30.0,
        show_default=True,
        type=click.FloatRange(min=0.01),
        help="Seconds of silence.",
    ),
    click.option(
        "--chunking", default="whole", show_default=True, type=click.Choice([str(one) for one in Chunking])
    ),
    click.option(
        "--framing", default="chunked", show_default=True, type=click.Choice([str(one) for one in Framing])
    ),
    click.option(
        "--tls",
        type=_FILE,
        metavar="FILE",
        help="Listen by TLS too; write the certificate of its authority here.",
    ),
    click.option(
        "--queue", default=10_000, show_default=True, type=_AT_LEAST_1, help="Messages a slow reader may owe."
    ),
    click.option("--soak", type=int, metavar="SEED", help="Strike random accounts with random faults."),
    click.option(
        "--soak-every",
        default=DEFAULT_EVERY_S,
        show_default=True,
        type=click.FloatRange(min=0.01),
        help="Seconds between strikes.",
    ),
    click.option(
        "--replaced-message", is_flag=True, help="Send disconnect code 7 to a connection that is replaced."
    ),
)


def v1_settings(options: dict[str, Any]) -> Settings:
    """Return the settings given by the options."""
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
