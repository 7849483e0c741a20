"""The options of the command that set up the v2 side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from traptor.sandbox.errors import BadInput
from traptor.sandbox.v2.bill import Prices
from traptor.sandbox.v2.problems import ProblemHost
from traptor.sandbox.v2.settings import Batches, V2Settings

_AT_LEAST_0 = click.IntRange(min=0)
_AT_LEAST_1 = click.IntRange(min=1)
_POSITIVE = click.FloatRange(min=0.01)
_NOT_NEGATIVE = click.FloatRange(min=0)
_USUAL = V2Settings()
V2_OPTIONS = (
    click.option(
        "--bearer",
        "bearers",
        multiple=True,
        metavar="NAME=TOKEN",
        help="An app of the X API v2 and its token, or the token of an account.",
    ),
    click.option(
        "--v2-effect", default=_USUAL.effect_s, type=_NOT_NEGATIVE, help="Seconds until filters act."
    ),
    click.option(
        "--v2-connections", default=_USUAL.connections, type=_AT_LEAST_1, help="Of one app at once."
    ),
    click.option("--v2-rules", default=_USUAL.rules, type=_AT_LEAST_0, help="Filters of an app."),
    click.option("--v2-rule-length", default=_USUAL.rule_length, type=_AT_LEAST_1, help="Characters of one."),
    click.option("--v2-rate", default=_USUAL.rate, type=_NOT_NEGATIVE, help="Posts a second; 0: any number."),
    click.option(
        "--v2-batches",
        default=_USUAL.batches.value,
        type=click.Choice([str(one) for one in Batches]),
        help="Batches of filters with an invalid one.",
    ),
    click.option(
        "--v2-linger", default=_USUAL.linger_s, type=_NOT_NEGATIVE, help="Seconds of a dead client's slot."
    ),
    click.option("--v2-keep-alive", default=_USUAL.keep_alive_s, type=_POSITIVE, help="Seconds of silence."),
    click.option(
        "--v2-connects", default=_USUAL.connects, type=_AT_LEAST_0, help="In a window; 0: any number."
    ),
    click.option(
        "--v2-search-every",
        default=_USUAL.search_every_s,
        type=_NOT_NEGATIVE,
        help="Seconds; 0: at any time.",
    ),
    click.option(
        "--v2-search-lag", default=_USUAL.search_lag_s, type=_NOT_NEGATIVE, help="Seconds of too new posts."
    ),
    click.option(
        "--v2-compliance", default=_USUAL.compliance_s, type=_NOT_NEGATIVE, help="Seconds of a job's work."
    ),
    click.option(
        "--v2-enterprise", multiple=True, metavar="NAME", help="An app with an Enterprise contract, or all."
    ),
    click.option("--v2-window", default=_USUAL.window_s, type=_POSITIVE, help="Seconds of the rate limits."),
    click.option(
        "--v2-problem-host",
        default=_USUAL.problem_host.value,
        type=click.Choice([str(one) for one in ProblemHost]),
        help="Host in the types of problems.",
    ),
    click.option("--v2-post-price", default=_USUAL.prices.post, type=_NOT_NEGATIVE, help="Dollars."),
    click.option("--v2-user-price", default=_USUAL.prices.user, type=_NOT_NEGATIVE, help="Dollars."),
)


def v2_settings(options: dict[str, Any]) -> V2Settings:
    """Return the settings given by the options. Raises BadInput."""
    return V2Settings(
        effect_s=options["v2_effect"],
        connections=options["v2_connections"],
        rules=options["v2_rules"],
        rule_length=options["v2_rule_length"],
        rate=options["v2_rate"],
        batches=Batches(options["v2_batches"]),
        linger_s=options["v2_linger"],
        keep_alive_s=options["v2_keep_alive"],
        connects=options["v2_connects"],
        search_every_s=options["v2_search_every"],
        search_lag_s=options["v2_search_lag"],
        compliance_s=options["v2_compliance"],
        enterprise=frozenset(options["v2_enterprise"]),
        window_s=options["v2_window"],
        problem_host=ProblemHost(options["v2_problem_host"]),
        prices=Prices(options["v2_post_price"], options["v2_user_price"]),
        bearers=_bearers(options["bearers"]),
    )


def _bearers(items: Iterable[str]) -> dict[str, str]:
    bearers: dict[str, str] = {}
    for item in items:
        name, separator, token = item.partition("=")
        if not name or not separator or not token:
            raise BadInput("--bearer: NAME=TOKEN is expected")
        if name in bearers or token in bearers.values():
            raise BadInput(f"--bearer: {name}: the same name or token occurs twice")
        bearers[name] = token
    return bearers
