"""The soak in short, run as users run it, and how it judges the master's growth."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from support.trialruns import figures_of
from support.waiting import DEADLINE_S
from trial.measure import Gauge, Sample, trends
from trial.rulebook import GROUPS, Rulebook
from trial.rules import Rule


class Shelf:
    """Stands where Redis and the sandbox are: remembers what is in them."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}
        self.gone: set[tuple[str, str]] = set()
        self.made_for: list[tuple[str, str]] = []
        self.hints: list[str] = []

    @property
    def sandbox(self) -> Shelf:
        return self

    def put(self, added: list[Rule], removed: list[Rule] | None = None) -> None:
        for rule in removed or []:
            self.gone.update(self.rules.pop(rule.key).values())
        self.rules |= {rule.key: rule for rule in added}

    def set_rules(self, rules: list[tuple[str, str]]) -> None:
        self.made_for = rules

    def hint(self, group: str) -> None:
        self.hints.append(group)


def test_a_change_of_rules_never_brings_back_what_was_taken_away() -> None:
    shelf = Shelf()
    book = Rulebook(shelf, seed=1)  # type: ignore[arg-type]
    book.load()
    count = len(shelf.rules)
    for group in GROUPS * 5:
        book.change(group)
        book.hint(group)
        now = {value for rule in shelf.rules.values() for value in rule.values()}
        assert not now & shelf.gone
        assert set(shelf.made_for) == now == book.history[-1][1]
        assert len(shelf.rules) == count
    assert shelf.hints == list(GROUPS * 5)


def samples(descriptors: list[int]) -> list[Sample]:
    return [Sample(float(n), count, 8, 100 << 20, 5) for n, count in enumerate(descriptors)]


def test_a_master_that_loses_a_descriptor_now_and_then_is_not_flat() -> None:
    assert not next(t for t in trends(samples([40 + n // 10 for n in range(200)]))).is_flat


def test_what_comes_and_goes_with_the_workers_is_flat_and_so_is_a_warm_up() -> None:
    assert next(t for t in trends(samples([10] * 20 + [40, 40, 40, 60, 45] * 30))).is_flat


def test_memory_may_fill_up_at_first_but_not_go_on_growing() -> None:
    def rss_mib(sizes: list[int]) -> bool:
        taken = [Sample(float(n), 40, 8, size << 20, 5) for n, size in enumerate(sizes)]
        return next(t for t in trends(taken) if t.name == "rss_mib").is_flat

    assert rss_mib([140] * 20 + [160] * 580)
    assert not rss_mib([140 + n // 20 for n in range(600)])
    assert rss_mib([140] * 10 + [160] * 20)


def test_a_child_that_outlives_its_master_is_found() -> None:
    code = "import subprocess as s, sys; s.Popen(['sleep', '60']); print('up', flush=True); sys.stdin.read()"
    master = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert master.stdin is not None
    assert master.stdout is not None
    master.stdout.readline()
    gauge = Gauge(master.pid)
    gauge.sample()
    child = psutil.Process(master.pid).children()[0]
    try:
        master.stdin.close()
        master.wait(DEADLINE_S)
        assert gauge.orphans() == [child.pid]
    finally:
        child.kill()
        master.stdout.close()
    psutil.wait_procs([child], timeout=DEADLINE_S)
    assert gauge.orphans() == []


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_collection_that_is_disturbed_in_every_way_accounts_for_every_tweet(tmp_path: Path) -> None:
    options = ["--minutes", "0.3", "--every", "2", "--sample", "0.5", "--rate", "200"]
    told = figures_of("soak.py", tmp_path, *options, within_s=550)
    assert (told["verdict"]["lost"], told["verdict"]["unexplained"]) == (0, 0)
    assert told["verdict"]["due"] > 1000
    assert sum(told["strikes"].values()) > 3
    assert sum(told["disturbances"].values()) > 3
    assert set(told["gap_seconds"]) == {"follow:0", "follow:0.2", "track:0", "track:1", "locations:0"}
