"""Which host gets which groups and keys: pure, stable, and with no key on two hosts."""

from __future__ import annotations

import importlib.util
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.paths import DEPLOY

from traptor.common.config.keys.key import ApiKey

ROLE = DEPLOY / "ansible" / "roles" / "traptor"


def _load() -> Any:
    spec = importlib.util.spec_from_file_location(
        "traptor_layout", ROLE / "filter_plugins" / "traptor_layout.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


layout = _load()

Slices = dict[str, list[dict[str, str]]]
INVENTORY = {
    "traptor-follow-nodes": ["server01", "server02"],
    "traptor-track-nodes": ["server03"],
    "traptor-location-nodes": ["server04", "server05"],
    "traptor-nodes": ["server01", "server02", "server03", "server04", "server05"],
}


def key(number: int, **members: str) -> dict[str, str]:
    return {
        "consumer_key": f"ck{number}",
        "consumer_secret": f"cs{number}",
        "access_token": f"at{number}",
        "access_token_secret": f"ats{number}",
        **members,
    }


def keys(count: int, start: int = 0) -> list[dict[str, str]]:
    return [key(number) for number in range(start, start + count)]


def names(slices: Slices) -> dict[str, set[str]]:
    return {host: {one["consumer_key"] for one in own} for host, own in slices.items()}


def moved(before: Slices, after: Slices) -> int:
    """How many keys that are on a host before and after are on another one."""
    old = {name: host for host, own in names(before).items() for name in own}
    new = {name: host for host, own in names(after).items() for name in own}
    return sum(1 for name in old.keys() & new.keys() if old[name] != new[name])


# ---- groups of rules


def test_the_predecessors_inventory_gives_each_host_the_next_id_of_its_type() -> None:
    assert layout.groups_of_hosts(INVENTORY, {}) == {
        "server01": ["follow:0"],
        "server02": ["follow:1"],
        "server03": ["track:0"],
        "server04": ["locations:0"],
        "server05": ["locations:1"],
    }


def test_a_host_in_two_groups_serves_both_types() -> None:
    inventory = {
        "traptor-follow-nodes": ["a"],
        "traptor-track-nodes": ["b", "a"],
        "traptor-nodes": ["a", "b"],
    }
    assert layout.groups_of_hosts(inventory, {}) == {"a": ["follow:0", "track:1"], "b": ["track:0"]}


def test_named_ids_stay_and_the_others_take_what_is_free() -> None:
    found = layout.groups_of_hosts(INVENTORY, {"server02": [0, 2]})
    assert (found["server02"], found["server01"]) == (["follow:0", "follow:2"], ["follow:1"])


def test_two_hosts_do_not_serve_one_group() -> None:
    with pytest.raises(layout.LayoutError, match="server01 and server02 both serve follow:1"):
        layout.groups_of_hosts(INVENTORY, {"server01": [1], "server02": [1]})


# ---- keys


def test_the_id_of_a_key_is_the_supervisors() -> None:
    assert layout.key_id(key(7)) == ApiKey("k", **key(7)).key_id
    assert layout.key_id({"bearer_token": "b"}) == ApiKey("k", bearer_token="b").key_id


@given(
    hosts=st.integers(1, 12),
    spares=st.integers(0, 20),
    wanted=st.integers(1, 3),
    seed=st.randoms(use_true_random=False),
)
def test_every_key_is_on_one_host_and_every_host_has_what_it_needs(
    hosts: int, spares: int, wanted: int, seed: random.Random
) -> None:
    pool = keys(hosts * wanted + spares)
    needs = {f"s{number}": wanted for number in range(hosts)}
    found = layout.slices(pool, needs)
    given_out = [one["consumer_key"] for own in found.values() for one in own]
    assert sorted(given_out) == sorted(one["consumer_key"] for one in pool)
    assert all(len(own) >= wanted for own in found.values())
    if spares >= hosts:
        assert all(len(own) > wanted for own in found.values())
    shuffled, order = pool[:], list(needs)
    seed.shuffle(shuffled)
    seed.shuffle(order)
    assert names(layout.slices(shuffled, dict.fromkeys(order, wanted))) == names(found)


def test_few_keys_move_when_a_key_or_a_host_comes_or_goes() -> None:
    """Averages over many pools of ten hosts with five spare keys."""
    sums = {"a key comes": 0, "a key goes": 0, "a host comes": 0, "a host goes": 0}
    trials = 40
    for trial in range(trials):
        hosts = {f"t{trial}s{number}": 1 for number in range(10)}
        pool = keys(15, start=100 * trial)
        before = layout.slices(pool, hosts)
        sums["a key comes"] += moved(before, layout.slices([*pool, key(100 * trial + 50)], hosts))
        sums["a key goes"] += moved(before, layout.slices(pool[1:], hosts))
        sums["a host comes"] += moved(before, layout.slices(pool, {**hosts, f"t{trial}new": 1}))
        gone = f"t{trial}s3"
        after = layout.slices(pool, {host: 1 for host in hosts if host != gone})
        sums["a host goes"] += moved(before, after) - len(before[gone])
    means = {what: count / trials for what, count in sums.items()}
    # At best 0, 0 to 1, 1 to 2 and 0; dealing the keys out in turn would move 13 of 15.
    assert means["a key comes"] <= 1.5, means
    assert means["a key goes"] <= 1.5, means
    assert means["a host comes"] <= 3, means
    assert means["a host goes"] <= 1.5, means


def test_a_renewed_secret_moves_nothing() -> None:
    hosts = {"a": 1, "b": 1, "c": 1}
    before = layout.slices(keys(5), hosts)
    renewed = [{**one, "consumer_secret": "new", "name": "n"} for one in keys(5)]
    assert names(layout.slices(renewed, hosts)) == names(before)


def test_a_key_that_names_its_host_goes_there_and_only_what_the_supervisor_knows_is_written() -> None:
    pool = [key(1, host="c", source_address="192.0.2.7"), *keys(2, start=2)]
    found = layout.slices(pool, {"a": 1, "b": 1, "c": 1})
    assert found["c"] == [key(1, source_address="192.0.2.7")]
    assert len(found["a"]) == len(found["b"]) == 1


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (keys(2), r"^apikeys has 2 keys, and the hosts need 3: too few for \w; add keys"),
        (
            [key(1, host="a"), key(2, host="a"), key(3)],
            "too few for [bc]; .*look for keys that name another host$",
        ),
        ([*keys(4), key(2)], "entries 3 and 5 are the same key"),
        ([*keys(4), key(9, host="z")], "entry 5 is for z, which is not in the group traptor-nodes"),
    ],
    ids=["too few", "all on one host", "twice", "unknown host"],
)
def test_what_does_not_fit_is_said_without_secrets(pool: list[dict[str, str]], said: str) -> None:
    with pytest.raises(layout.LayoutError, match=said) as raised:
        layout.slices(pool, {"a": 1, "b": 1, "c": 1})
    assert "cs" not in str(raised.value).split("need")[0]


def test_a_host_that_is_to_have_more_keys_gets_them() -> None:
    hostvars: dict[str, dict[str, Any]] = {host: {} for host in INVENTORY["traptor-nodes"]}
    hostvars["server03"]["traptor_keys_wanted"] = 3
    found = layout.layout(INVENTORY, hostvars, keys(7), "server03", "v1.1")
    assert found["groups"] == ["track:0"]
    assert len(found["keys"]) == 3


def test_with_api_v2_each_host_gets_one_app_and_no_spare() -> None:
    hostvars: dict[str, dict[str, Any]] = {host: {} for host in INVENTORY["traptor-nodes"]}
    hostvars["server01"]["traptor_ids"] = [0, 2]
    hosts = INVENTORY["traptor-nodes"]
    found = {host: layout.layout(INVENTORY, hostvars, keys(9), host, "v2") for host in hosts}
    assert found["server01"]["groups"] == ["follow:0", "follow:2"]
    assert [len(found[host]["keys"]) for host in hosts] == [1] * 5
    assert len({own["keys"][0]["consumer_key"] for own in found.values()}) == 5


# ---- what is on a host already


FILE = "apikeys:\n- {consumer_key: ck1, access_token: at1}\n- {consumer_key: ck2, access_token: at2}\n"
OTHER = "apikeys:\n- {consumer_key: ck3, access_token: at3}\n"


@pytest.mark.parametrize(
    ("present", "first"),
    [
        ({"a": FILE, "b": OTHER}, [2, 4]),
        ({"a": FILE, "b": ""}, [2, 3, 4]),
        ({"a": FILE, "b": None}, [2]),
        ({"a": "", "b": OTHER}, [2, 4]),
        ({"a": OTHER, "b": FILE}, [3, 4]),
    ],
    ids=["another has one", "nobody has them", "another was not asked", "a new host", "all its keys move"],
)
def test_a_host_first_uses_what_it_has_and_what_no_other_host_has(
    present: dict[str, str | None], first: list[int]
) -> None:
    assert layout.first_keys(keys(3, start=2), "a", present) == [key(number) for number in first]


def test_the_ids_in_a_key_file() -> None:
    assert (
        layout.ids_of(FILE)
        == layout.ids_of([key(1), key(2)])
        == [layout.key_id(key(1)), layout.key_id(key(2))]
    )
    assert layout.ids_of("") == layout.ids_of("---\n") == []


def test_settings_that_need_a_restart_are_told_from_those_that_do_not() -> None:
    before = "[redis]\nurl = redis://a\n[traptor]\ngroups = track:0\n"
    after = "[redis]\nurl = redis://b\n[traptor]\ngroups = track:1\n[supervisor]\nrun_dir = /run/t\n"
    restarting = ["redis.url", "supervisor.run_dir", "traptor.api"]
    assert layout.restart_options(before, after, restarting) == ["redis.url", "supervisor.run_dir"]
    assert layout.restart_options("", after, restarting) == []
