"""A changed configuration is taken over while everything runs; a broken one changes nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from support.collection import Collection, Key
from support.seen import open_now, watch
from support.waiting import wait_for

Make = Callable[..., Collection]


def start_two(make: Make, *keys: Key, **options: dict[str, object]) -> tuple[Collection, dict[str, int]]:
    """A collection with track:0 and follow:0, and their pids."""
    collection = make(*keys or (Key("k1"), Key("k2")))
    collection.options = options
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("follow:0", ["42"])
    collection.start()
    return collection, collection.wait_streaming("track:0", "follow:0")


def lines_with(collection: Collection, *texts: str) -> list[str]:
    return [line for line in collection.log().splitlines() if all(text in line for text in texts)]


def wait_count(collection: Collection, count: int, *texts: str) -> list[str]:
    return wait_for(
        lambda: (lines := lines_with(collection, *texts)) and len(lines) >= count and lines,
        f"{count} lines with {texts}",
    )


def key_of(collection: Collection, name: str) -> str | None:
    serving = collection.connection(name).get("serving") or {}
    return serving.get("key")


def causes(collection: Collection, name: str) -> list[str]:
    return [gap["cause"] for gap in collection.gaps(name)]


def yaml_text(keys: Sequence[Key]) -> str:
    entries = []
    for key in keys:
        members = {**key.account(), "source_address": key.source_address}
        lines = [f"{name}: {value}" for name, value in members.items() if value is not None]
        entries.append("  - " + "\n    ".join(lines) + "\n")
    return "other_variable: 1\napikeys:\n" + "".join(entries)


def write_yaml(path: Path, keys: Sequence[Key]) -> None:
    """Rename over it, as Ansible does."""
    new = path.with_suffix(".new")
    new.write_text(yaml_text(keys))
    new.chmod(0o600)
    os.replace(new, path)


def start_with_yaml(make: Make, *keys: Key) -> tuple[Collection, Path, dict[str, int]]:
    """As start_two, with the keys in a YAML file of their own folder."""
    collection = make(*keys)
    path = collection.folder / "vars" / "keys.yml"
    path.parent.mkdir()
    write_yaml(path, keys)
    collection.keys = []
    collection.options = {"keys": {"file": path}}
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("follow:0", ["42"])
    collection.start()
    return collection, path, collection.wait_streaming("track:0", "follow:0")


# ---- noticed, however it was changed


def test_a_reload_without_a_difference_restarts_nobody(make_collection: Make) -> None:
    collection, before = start_two(make_collection)
    collection.signal(signal.SIGHUP)
    wait_count(collection, 1, " reloaded ", "SIGHUP")
    collection.ini.touch()
    text = collection.ini.read_text()
    collection.ini.write_text(text)
    collection.signal(signal.SIGHUP)
    wait_count(collection, 2, " reloaded ", "SIGHUP")
    watch(collection, 1.5)
    assert collection.streaming() == before
    assert len(lines_with(collection, " reloaded ")) == 2, "the same content is no change"


def test_an_ini_that_is_edited_in_place_or_renamed_over_is_taken_over(make_collection: Make) -> None:
    collection, before = start_two(make_collection)
    text = collection.ini.read_text()
    collection.ini.write_text(text + "\n[logging]\nrotate_keep = 7\n")
    wait_count(collection, 1, " reloaded ", "a file changed")
    collection.options = {"logging": {"rotate_keep": 8}}
    collection.write_ini()
    wait_count(collection, 2, " reloaded ", "a file changed")
    assert collection.streaming() == before


@pytest.mark.long
def test_a_key_file_that_is_edited_in_place_or_renamed_over_is_taken_over(make_collection: Make) -> None:
    collection, path, before = start_with_yaml(make_collection, Key("k1"), Key("k2"))
    collection.sandbox.set_accounts([Key(name).account() for name in ("k1", "k2", "k3", "k4")])
    with path.open("a") as file:
        file.write(yaml_text([Key("k3")]).partition("apikeys:\n")[2])
    wait_for(lambda: collection.key("k3"), "k3 is known")
    write_yaml(path, [Key("k1"), Key("k2"), Key("k3"), Key("k4")])
    wait_for(lambda: collection.key("k4"), "k4 is known")
    assert collection.streaming() == before
    collection.add_rules("track:1", ["flood"])
    collection.hint("track:1")
    collection.wait_streaming("track:0", "follow:0", "track:1")
    # Away and there again, as some editors and mounts have it.
    aside = path.with_suffix(".aside")
    path.rename(aside)
    collection.wait_log("reload refused", "keys.yml")
    aside.rename(path)
    watch(collection, 1.0)
    assert {name: collection.streaming()[name] for name in before} == before


# ---- broken


BROKEN = (  # what is inserted before which line, and what is said of it
    ("run_dir", "handower = slot\n", "handover"),
    ("connects", "track_limit = many\n", "track_limit"),
    ("[redis]", "no option at all\n", ""),
    ("[key:k2]", "[key:third]\nconsumer_key = x\n", "consumer_secret"),
)


def test_a_broken_ini_changes_nothing_and_says_where_it_is_broken(make_collection: Make) -> None:
    collection, pids = start_two(make_collection)
    good = collection.ini.read_text()
    for before, insert, said in BROKEN:
        at = good.index(f"\n{before}") + 1
        collection.ini.write_text(good[:at] + insert + good[at:])
        number = good[:at].count("\n") + 1
        collection.wait_log(" WARNING ", "reload refused", f"traptor.ini:{number}", said)
    watch(collection, 1.0)
    assert collection.streaming() == pids
    assert not lines_with(collection, " reloaded ")
    assert "Traceback" not in collection.log()
    assert "SECRET" not in collection.log()
    collection.ini.write_text(good + "\n[logging]\nrotate_keep = 8\n")
    wait_count(collection, 1, " reloaded ")
    assert collection.streaming() == pids


@pytest.mark.long
def test_a_broken_key_file_changes_nothing_and_says_where_it_is_broken(make_collection: Make) -> None:
    collection, path, before = start_with_yaml(make_collection, Key("k1"), Key("k2"))
    good = path.read_text()
    for broken, place in (
        (good + "  - consumer_key: x\n", "keys.yml:15"),
        (good.replace("max_connections: 1", "max_connections: one", 1), "keys.yml:8"),
        (good + '  - "unbalanced\n', "keys.yml:"),
        ("apikeys: []\n", "no key is left"),
        ("", "keys.yml"),
    ):
        said = len(lines_with(collection, "reload refused"))
        path.write_text(broken)
        lines = wait_count(collection, said + 1, " WARNING ", "reload refused")
        assert any(place in line for line in lines[said:]), (place, lines[said:])
    watch(collection, 1.0)
    assert collection.streaming() == before
    assert "SECRET" not in collection.log()
    path.write_text(good)
    wait_count(collection, 1, " reloaded ")
    assert collection.streaming() == before


def test_a_reload_that_leaves_no_key_is_refused(make_collection: Make) -> None:
    collection, before = start_two(make_collection)
    collection.keys = []
    collection.write_ini()
    collection.wait_log(" WARNING ", "reload refused", "no key is left")
    watch(collection, 1.0)
    assert collection.streaming() == before


# ---- keys


def test_the_connection_of_a_removed_key_moves_to_a_spare_without_a_gap(make_collection: Make) -> None:
    """The other one keeps its worker."""
    collection, before = start_two(make_collection, Key("k1"), Key("k2"), Key("k3"))
    gone = key_of(collection, "track:0")
    assert gone is not None
    collection.keys = [key for key in collection.keys if key.name != gone]
    collection.write_ini()
    collection.wait_new_pid("track:0", before["track:0"])
    assert collection.streaming()["follow:0"] == before["follow:0"]
    assert key_of(collection, "track:0") not in (gone, key_of(collection, "follow:0"))
    wait_for(lambda: not collection.key(gone), "the key is given back")
    old, new = (c for c in collection.sandbox.connections() if "track" in c["values"])
    assert new["opened_at"] < old["closed_at"]
    assert old["closed_by"] == "client"
    assert causes(collection, "track:0") == ["start"]


@pytest.mark.long
def test_the_connection_of_a_removed_key_waits_when_there_is_no_spare(make_collection: Make) -> None:
    collection, before = start_two(make_collection)
    gone = key_of(collection, "track:0")
    kept = list(collection.keys)
    collection.keys = [key for key in kept if key.name != gone]
    collection.write_ini()
    collection.wait_state("track:0", "WAITING_FOR_KEY")
    wait_for(lambda: len(open_now(collection)) == 1, "its stream is closed")
    assert collection.streaming() == {"follow:0": before["follow:0"]}
    collection.keys = kept
    collection.write_ini()
    assert collection.wait_streaming("track:0", "follow:0")["follow:0"] == before["follow:0"]
    wait_for(lambda: "no_key" in causes(collection, "track:0"), "a gap for want of a key")


def test_a_rotated_secret_is_taken_over_by_a_refresh_without_a_gap(make_collection: Make) -> None:
    collection, before = start_two(make_collection)
    rotated = key_of(collection, "track:0")
    collection.keys = [
        Key(key.name, consumer_secret="SECRET-new") if key.name == rotated else key for key in collection.keys
    ]
    collection.set_accounts()
    collection.write_ini()
    collection.wait_new_pid("track:0", before["track:0"])
    assert collection.streaming()["follow:0"] == before["follow:0"]
    assert key_of(collection, "track:0") == rotated
    assert causes(collection, "track:0") == ["start"]
    assert "SECRET" not in collection.log() + collection.log("track:0")


@pytest.mark.long
@pytest.mark.parametrize("handover", ["slot, spare, overlap, serial", "serial"])
def test_a_wrongly_rotated_secret_leaves_the_old_stream_and_makes_the_key_suspect(
    make_collection: Make, handover: str
) -> None:
    """It is asked once; the right secret mends it."""
    collection, before = start_two(make_collection, supervisor={"handover": handover})
    rotated = key_of(collection, "track:0")
    assert rotated is not None
    collection.keys = [
        Key(key.name, consumer_secret="SECRET-wrong") if key.name == rotated else key
        for key in collection.keys
    ]
    collection.write_ini()
    wait_for(lambda: collection.key(rotated)["state"] == "SUSPECT", f"{rotated} is suspect")
    collection.wait_streaming("track:0", "follow:0")
    watch(collection, 1.5)
    assert collection.streaming() == before
    statuses = [one["status"] for one in collection.sandbox.attempts()]
    assert statuses.count(401) == 1
    assert len(statuses) <= 4
    collection.keys = [Key("k1"), Key("k2")]
    collection.write_ini()
    wait_for(lambda: collection.key(rotated)["state"] == "OK", f"{rotated} is good again")
    watch(collection, 1.0)
    assert collection.streaming() == before


@pytest.mark.long
def test_a_suspect_key_is_quarantined_when_its_stream_ends(make_collection: Make) -> None:
    collection, before = start_two(make_collection)
    rotated = key_of(collection, "track:0")
    assert rotated is not None
    collection.keys = [
        Key(key.name, consumer_secret="SECRET-wrong") if key.name == rotated else key
        for key in collection.keys
    ]
    collection.write_ini()
    wait_for(lambda: collection.key(rotated)["state"] == "SUSPECT", f"{rotated} is suspect")
    collection.sandbox.fault("close", account=rotated)
    wait_for(lambda: collection.key(rotated)["state"] == "QUARANTINED", f"{rotated} is quarantined")
    collection.wait_state("track:0", "WAITING_FOR_KEY")
    assert collection.streaming() == {"follow:0": before["follow:0"]}
    assert [one["status"] for one in collection.sandbox.attempts()].count(401) == 1


@pytest.mark.long
def test_an_address_that_is_not_on_this_host_makes_its_key_unusable(make_collection: Make) -> None:
    collection, before = start_two(make_collection, Key("k1"), Key("k2"), Key("k3"))
    moved = key_of(collection, "track:0")
    assert moved is not None
    good = list(collection.keys)
    collection.keys = [
        Key(key.name, source_address="192.0.2.7") if key.name == moved else key for key in good
    ]
    collection.write_ini()
    collection.wait_log(" WARNING ", "source address is not on this host", f"keys={moved}")
    collection.wait_new_pid("track:0", before["track:0"])
    assert collection.key(moved)["state"] == "UNUSABLE"
    assert causes(collection, "track:0") == ["start"]
    collection.keys = [
        Key(key.name, source_address="127.0.0.5") if key.name == moved else key for key in good
    ]
    collection.write_ini()
    wait_for(lambda: collection.key(moved)["state"] == "OK", "an address of this host will do")
    collection.add_rules("track:1", ["flood"])
    collection.hint("track:1")
    collection.wait_streaming("track:0", "track:1", "follow:0")
    assert "127.0.0.5" in {c["peer_ip"] for c in open_now(collection)}


@pytest.mark.long
def test_a_changed_source_address_is_taken_over_by_a_refresh(make_collection: Make) -> None:
    collection, before = start_two(make_collection)
    name = key_of(collection, "track:0")
    collection.keys = [
        Key(key.name, source_address="127.0.0.4") if key.name == name else key for key in collection.keys
    ]
    collection.write_ini()
    collection.wait_new_pid("track:0", before["track:0"])
    assert collection.streaming()["follow:0"] == before["follow:0"]
    assert [c["peer_ip"] for c in open_now(collection) if c["account"] == name] == ["127.0.0.4"]
    assert causes(collection, "track:0") == ["start"]


# ---- options


@pytest.mark.long
def test_a_reload_in_the_middle_of_a_refresh_ends_with_what_is_wanted_last(make_collection: Make) -> None:
    """A successor waits for its headers while rules, output and keys change."""
    collection, before = start_two(make_collection, Key("k1"), Key("k2"), Key("k3"))
    collection.sandbox.fault("slow_start", after=3, times=1)
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    wait_for(
        lambda: (s := collection.connection("track:0")["successor"]) and s["state"] == "CONNECTING",
        "the successor connects",
    )
    elsewhere = collection.folder / "elsewhere"
    elsewhere.mkdir()
    collection.options = {"traptor": {"output": f"jsonl:{elsewhere}"}}
    collection.add_rules("track:0", ["hail"])
    collection.write_ini()
    collection.signal(signal.SIGHUP)
    collection.hint("track:0")
    collection.sandbox.set_rules([("track", "hail"), ("follow", "42")])
    for name in ("track:0", "follow:0"):
        path = elsewhere / f"{name}.jsonl"
        wait_for(lambda path=path: path.exists() and path.stat().st_size, f"output in {path}")
    wait_for(
        lambda: (
            [sorted(c["values"]["track"]) for c in open_now(collection) if "track" in c["values"]]
            == [["flood", "hail", "storm"]]
        ),
        "one stream with all three rules",
    )
    wait_for(lambda: len(collection.workers()) == 2, "the others ended")
    assert causes(collection, "track:0") == ["start"]
    assert causes(collection, "follow:0") == ["start"]
    assert before


@pytest.mark.long
def test_a_changed_output_is_taken_over_by_a_refresh_and_nothing_is_lost(make_collection: Make) -> None:
    collection, before = start_two(make_collection, Key("k1"), Key("k2"))
    collection.sandbox.set_rules([("track", "storm")])
    wait_for(lambda: len(collection.tweets("track:0")) > 10, "tweets")
    elsewhere = collection.folder / "elsewhere"
    collection.options = {"traptor": {"output": f"jsonl:{elsewhere}"}}
    collection.write_ini()
    for name, pid in before.items():
        collection.wait_new_pid(name, pid)
    wait_for(lambda: len(collection.workers()) == 2, "the old workers ended")
    first = [tweet["id_str"] for tweet in collection.tweets("track:0")]
    size = (collection.output / "track:0.jsonl").stat().st_size
    old_output = collection.output
    new = wait_for(
        lambda: (found := read_ids(elsewhere / "track:0.jsonl")) and len(found) > 10 and found, "more"
    )
    collection.sandbox.stop_timeline()
    assert new
    # What is in the server's queue when the stream is closed was never sent.
    wait_for(
        lambda: all(one["connections"] for one in collection.sandbox.tweets() if one["for"]), "all is sent"
    )
    assert collection.stop() == 0
    assert (old_output / "track:0.jsonl").stat().st_size == size
    written = {*first, *read_ids(elsewhere / "track:0.jsonl")}
    started = collection.sandbox.connections()[1]["opened_at"]
    made = [one for one in collection.sandbox.tweets() if one["for"] and one["made_at"] > started]
    assert [one["id"] for one in made if one["id"] not in written] == []


def read_ids(path: Path) -> list[str]:
    content = path.read_bytes() if path.exists() else b""
    lines = content[: content.rfind(b"\n") + 1].splitlines()
    return [line.partition(b'"id_str":"')[2].partition(b'"')[0].decode() for line in lines]


@pytest.mark.long
def test_an_option_that_needs_a_restart_is_reported_and_the_rest_is_applied(make_collection: Make) -> None:
    collection, before = start_two(make_collection)
    collection.options = {
        "redis": {"channel": "other-channel"},
        "supervisor": {"state_dir": "elsewhere"},
        "logging": {"level": "DEBUG"},
    }
    collection.write_ini()
    for option in ("channel", "state_dir"):
        collection.wait_log(" WARNING ", "needs a restart", option)
    for name, pid in before.items():
        collection.wait_new_pid(name, pid)  # the level is the workers' too
    collection.wait_log(" DEBUG ")
    assert not (collection.folder / "elsewhere").exists()
    pid = collection.streaming()["track:0"]
    collection.hint("track:0")  # on the old channel
    collection.wait_new_pid("track:0", pid)


@pytest.mark.long
def test_limits_for_keys_count_from_the_reload_on(make_collection: Make) -> None:
    """A connection that waits for its key's budget goes on as soon as the budget is raised."""
    collection = make_collection(Key("k1"))
    collection.options = {"twitter": {"connects": 1, "connects_window": "10m", "http_backoff": "50ms"}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    pid = collection.wait_streaming("track:0")["track:0"]
    collection.sandbox.fault("close")
    wait_for(lambda: "are used" in (collection.connection("track:0")["waits_for"] or ""), "it waits")
    collection.options = {"twitter": {"connects": 5}}
    collection.write_ini()
    wait_for(lambda: len(open_now(collection)) == 1, "it streams again")
    assert collection.wait_streaming("track:0") == {"track:0": pid}
