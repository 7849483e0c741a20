"""The command behind scripts/bench."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import orjson
from rich.table import Table

from benchmarks.answers import answers
from benchmarks.apps import one_app
from benchmarks.counters import counters
from benchmarks.failover import failover
from benchmarks.figures import FULL, QUICK, TINY, Effort, Figure
from benchmarks.filters import many_filters
from benchmarks.idle import full_look, many_connections, weight
from benchmarks.loading import loading
from benchmarks.path import full_path, many_rules
from benchmarks.posts import posts
from benchmarks.restart import refresh, restart
from benchmarks.socketsink import socket_to_sink
from benchmarks.stops import stop
from traptor.common.errors import ExitCode
from traptor.common.terminal import report_console, say
from traptor.common.text import counted

BENCHMARKS: dict[str, Callable[[Effort], list[Figure]]] = {
    "path": full_path,
    "many_rules": many_rules,
    "posts": posts,
    "socket_to_sink": socket_to_sink,
    "counters": counters,
    "loading": loading,
    "restart": restart,
    "refresh": refresh,
    "failover": failover,
    "weight": weight,
    "full_look": full_look,
    "many": many_connections,
    "stop": stop,
    "many_filters": many_filters,
    "one_app": one_app,
    "answers": answers,
}


class Names(click.ParamType):
    """Names of benchmarks, separated by commas."""

    name = "names"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        """Return the names. Fails naming those that are none."""
        names = value.split(",")
        if unknown := [name for name in names if name not in BENCHMARKS]:
            self.fail(f"{', '.join(unknown)}: not one of {', '.join(BENCHMARKS)}", param, ctx)
        return names


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", multiple=True, type=Names(), metavar="NAME,...", help="Run only these; repeatable.")
@click.option("--quick", is_flag=True, help="Fewer rounds and connections; about a minute.")
@click.option("--tiny", is_flag=True, help="Only show that it works; the figures mean nothing.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write figures here."
)
@click.option("--strict", is_flag=True, help="Exit with 1 when a target is missed.")
def main(only: tuple[list[str], ...], quick: bool, tiny: bool, json_file: Path | None, strict: bool) -> None:
    """Measure Traptor on this machine, each figure beside its floor or peer.

    The exit code is 0 when everything was measured, whatever the figures are: on a busy or slow machine they
    say little. With --strict a missed target is an exit code of 1.
    """
    effort = TINY if tiny else QUICK if quick else FULL
    console = report_console()
    figures: list[Figure] = []
    for name in chain.from_iterable(only) if only else BENCHMARKS:
        console.print(f"{name} ...", style="dim")
        figures += _in_a_fresh_process(name, effort)
    console.print(_table(figures))
    if json_file is not None:
        content = {"machine": _machine(), "figures": [figure.as_json() for figure in figures]}
        json_file.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")
    missed = sum(figure.is_met is False for figure in figures)
    if missed:
        say(console, f"{counted(missed, 'target')} missed.")
    if missed and strict:
        sys.exit(ExitCode.FAILURE)


def _in_a_fresh_process(name: str, effort: Effort) -> list[Figure]:
    """Run one benchmark in a fresh process: memory left by another one would slow each of its forks."""
    context = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        return pool.submit(BENCHMARKS[name], effort).result()


def _machine() -> dict[str, Any]:
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
    }


def _table(figures: list[Figure]) -> Table:
    machine = _machine()
    table = Table(title=f"{machine['at']}, Python {machine['python']}, {machine['cores']} cores")
    for heading in ("benchmark", "figure", "median", "min..max", "unit", "rounds", "target", ""):
        table.add_column(heading, justify="right" if heading in ("median", "min..max", "rounds") else "left")
    for figure in figures:
        verdict = {True: "met", False: "MISSED", None: ""}[figure.is_met]
        span = f"{_number(figure.least)}..{_number(figure.most)}" if figure.rounds > 1 else ""
        cells = (_number(figure.median), span, figure.unit, str(figure.rounds), figure.target, verdict)
        table.add_row(figure.benchmark, figure.name, *cells)
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    main()
