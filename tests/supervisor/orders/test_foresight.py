"""What a reload would change is told before it is made, and nothing is applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.paperapp import PaperApp, PaperApps
from support.stepping import PlannedWorld

from traptor.common.config.settings import load_settings
from traptor.supervisor.apps.wanted.effect import InEffect
from traptor.supervisor.keys.addresses import is_on_this_host
from traptor.supervisor.orders.foresight import foresee
from traptor.supervisor.orders.whereabouts import rules_named

KEY = "[key:{}]\nconsumer_key = ck-{}\nconsumer_secret = {}\naccess_token = at-{}\naccess_token_secret = s\n"
TRAPTOR = "[traptor]\noutput = jsonl:-\ngroups = {}\n"


class World(PlannedWorld):
    """track:0 and track:1 stream with the keys of an ini; k3 is a spare."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, keys=0)
        self.context.pacer.connect_rate = 1e18
        self.write()
        self.context.settings = load_settings(self.ini)
        self.pool.replace(self.context.settings.keys, self.now, is_on_this_host)
        for group in ("track:0", "track:1"):
            self.set_rules(group, range(2))
        self.settle()
        for g in list(self.fleet.generations):
            self.ready(g)
            self.settle()
            self.connected(g)
        self.settle()

    @property
    def ini(self) -> Path:
        return Path(self.settings.path)

    def write(self, groups: str = "*", more: str = "", keys: str = "123", secret: str = "s") -> None:
        text = TRAPTOR.format(groups) + more
        text += "".join(KEY.format(f"k{n}", n, secret if n == "1" else "s", n) for n in keys)
        self.ini.write_text(text)
        self.ini.chmod(0o600)

    def foreseen(self) -> dict[str, Any]:
        before = (self.context.settings, self.pool.statuses(self.now))
        told = foresee(self.context, self.groups)
        assert (self.context.settings, self.pool.statuses(self.now)) == before
        return told

    def effects(self) -> dict[str, str]:
        return {one["connection"]: one["effect"] for one in self.foreseen()["connections"]}

    def user_of(self, key: str) -> str:
        [name] = [c.name for c in self.connections.values() if c.serving and c.serving.key_name == key]
        return name


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_without_a_difference_nothing_would_change(world: World) -> None:
    told = world.foreseen()
    assert told["refused"] == told["connections"] == told["suspect"] == []
    assert told["options"] == {"live": [], "refresh": [], "restart": []}
    assert not any(told["keys"].values())


def test_options_are_told_by_what_a_reload_does_with_them(world: World) -> None:
    world.write(more="[supervisor]\nhang_timeout = 33s\noutbox_max_bytes = 2G\nstate_dir = other\n")
    told = world.foreseen()
    assert told["options"] == {
        "live": ["[supervisor] hang_timeout"],
        "refresh": ["[supervisor] outbox_max_bytes"],
        "restart": ["[supervisor] state_dir"],
    }
    assert world.effects() == {"track:0": "refreshed", "track:1": "refreshed"}


def test_an_option_that_needs_a_restart_touches_no_connection(world: World) -> None:
    world.write(more="[redis]\nurl = redis://127.0.0.1:1/0\n")
    assert world.effects() == {}


def test_a_changed_a_removed_and_an_added_key(world: World) -> None:
    user = world.user_of("k1")
    world.write(secret="another")
    assert world.foreseen()["keys"]["changed"] == ["k1"]
    assert world.effects() == {user: "refreshed"}
    world.write(keys="234")
    told = world.foreseen()
    assert (told["keys"]["added"], told["keys"]["removed"]) == (["k4"], ["k1"])
    assert world.effects() == {user: "moves"}


def test_a_group_that_is_no_longer_served_ends(world: World) -> None:
    world.write(groups="track:1")
    assert world.effects() == {"track:0": "ends"}


def test_a_refused_reload_says_why_and_shows_no_secret(world: World) -> None:
    world.write(more="[supervisor]\nhang_timeout = soon\n", secret="SECRET-1")
    told = world.foreseen()
    assert "hang_timeout" in told["refused"][0]
    assert "SECRET" not in str(told)
    world.write(keys="")
    assert "no key is left" in world.foreseen()["refused"][0]


def test_a_rule_is_found_by_its_id_and_by_its_key_with_its_connection(world: World) -> None:
    by_id = rules_named(world.context, world.groups, "1")
    assert [(one["rule"], one["connection"], one["collected"]) for one in by_id] == [
        ("traptor-track:0:1", "track:0", True),
        ("traptor-track:1:1", "track:1", True),
    ]
    assert rules_named(world.context, world.groups, "traptor-track:1:1") == by_id[1:]
    world.connections["track:1"].is_stopped = True
    world.agenda.look_at_all()
    world.settle()
    [one] = rules_named(world.context, world.groups, "traptor-track:1:1")
    assert (one["connection"], one["collected"]) == ("track:1", False)
    assert rules_named(world.context, world.groups, "nobody") == []


def test_of_an_app_s_rules_those_in_effect_are_collected_whatever_its_worker_was_forked_with(
    world: World,
) -> None:
    c = world.connections["track:0"]
    [forked, other] = c.wanted.rules if c.wanted is not None else ()
    c.app = "app"
    for effect, expected in [(None, []), (InEffect((other,)), [other.key]), (InEffect(), [])]:
        c.in_effect = effect
        told = [one for rule in (forked, other) for one in rules_named(world.context, world.groups, rule.key)]
        assert [one["rule"] for one in told if one["collected"]] == expected
        assert {one["connection"] for one in told} == {"track:0"}
    world.context.apps = PaperApps({"app": PaperApp(without_filter={other.key: "full"})})
    told = [one for rule in (forked, other) for one in rules_named(world.context, world.groups, rule.key)]
    assert [one["no_filter"] for one in told] == [None, "full"]
