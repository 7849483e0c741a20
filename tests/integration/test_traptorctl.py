"""traptorctl against a real supervisor: what is seen, what is done, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.collection import Collection, Key
from support.ctl import traptorctl
from support.waiting import wait_for

Make = Callable[..., Collection]


def test_an_operator_sees_and_acts(make_collection: Make) -> None:
    """One supervisor, and every command once."""
    collection = make_collection(Key("k1"), Key("k2"))
    collection.add_rules("track:0", {"17": "storm"})
    collection.add_rules("follow:0", {"u42": "42"})
    collection.start()
    pids = collection.wait_streaming("track:0", "follow:0")
    collection.sandbox.set_rules([("track", "storm")])
    wait_for(lambda: collection.connection("track:0")["total"]["matched"] > 0, "a match")

    seen = collection.ctl("status")
    assert seen.returncode == 0, seen.stdout + seen.stderr
    assert "2 of 2 connections collecting" in seen.stdout.splitlines()[0]
    assert "track:0" in seen.stdout
    assert str(pids["track:0"]) in seen.stdout
    assert json.loads(collection.ctl("status", "--json").stdout)["pid"] == collection.status()["pid"]
    assert collection.ctl("health").stdout == "ok: no problems\n"
    assert "start" in collection.ctl("gaps").stdout
    (gap, *_) = map(json.loads, collection.ctl("gaps", "track:0", "--json").stdout.splitlines())
    assert gap["connection"] == "track:0"
    assert collection.ctl("explain", "track:0").stdout.startswith("track:0: collecting 1 rule for ")
    wait_for(lambda: "last match" in collection.ctl("explain", "rule", "17").stdout, "the rule's match")
    assert "k1" in collection.ctl("keys").stdout
    assert {key["key"] for key in json.loads(collection.ctl("keys", "--json").stdout)} == {"k1", "k2"}
    assert collection.ctl("plan").stdout == "nothing differs from what runs\n"
    assert collection.ctl("reload").stdout.startswith("reloaded")
    assert '"traptor"' in collection.ctl("sample", "track:0", "-n", "1").stdout

    assert collection.ctl("restart", "track:0").returncode == 0
    collection.wait_new_pid("track:0", pids["track:0"])
    assert collection.ctl("stop", "follow:0").returncode == 0
    collection.wait_state("follow:0", "STOPPED")
    assert "stopped" in collection.ctl("status").stdout
    assert collection.ctl("start", "follow:0").returncode == 0
    collection.wait_streaming("track:0", "follow:0")

    for wrong, code, words in (
        (("restart", "track:9"), 1, "there is no connection 'track:9'"),
        (("start", "track:0"), 1, "track:0 is not stopped"),
        (("keys", "test", "k1"), 1, "a test would end its stream"),
        (("keys", "release", "k9"), 1, "there is no key 'k9'"),
        (("gaps", "--since", "yesterday"), 1, "since must be"),
        (("explain", "a", "b", "c"), 2, "name a connection"),
    ):
        refused = collection.ctl(*wrong)
        assert (refused.returncode, refused.stdout) == (code, ""), refused
        assert words in refused.stderr
        assert "Traceback" not in refused.stderr
    assert collection.stop() == 0

    later = collection.ctl("gaps", "track:0")
    assert later.returncode == 0, later.stderr
    assert "shutdown" in later.stdout.splitlines()[-1]
    assert later.stderr.startswith("no supervisor runs: this is from its file ")
    assert collection.ctl("gaps", "track:9").returncode == 1
    assert traptorctl("--socket", collection.run_dir / "control.sock", "gaps").returncode == 3


def test_whoever_is_on_call_needs_no_access_to_the_keys(make_collection: Make) -> None:
    """What is wrong comes first, and tells scripts by the exit code."""
    collection = make_collection(Key("k1"), Key("k2", consumer_secret="wrong"))
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("follow:0", {"u42": "42"})
    collection.sandbox.set_accounts([Key("k1").account()])
    collection.start()
    wait_for(lambda: len(collection.streaming()) == 1, "one of two collects")
    socket = collection.run_dir / "control.sock"
    wait_for(lambda: traptorctl("--socket", socket, "health").returncode == 1, "a problem")
    seen = traptorctl("--socket", socket, "status")
    assert seen.returncode == 1
    assert "NOT COLLECT" in seen.stdout.splitlines()[0], seen.stdout
    collection.ini.chmod(0o600)
    assert collection.stop() == 0


def test_without_a_supervisor_it_says_what_to_do(tmp_path: Path) -> None:
    ini = tmp_path / "traptor.ini"
    ini.write_text("[supervisor]\nrun_dir = run\n[keys]\nfile = nowhere.yml\n")
    (tmp_path / "run").mkdir()
    silent = traptorctl("-c", ini, "status")
    assert silent.returncode == 3
    assert "no supervisor runs there; start one with traptor-supervisor -c FILE" in silent.stderr
    (tmp_path / "run/control.sock").write_text("no socket at all")
    assert traptorctl("-c", ini, "health").returncode == 3
    lost = traptorctl("-c", tmp_path / "other.ini", "status")
    assert lost.returncode == 78
    assert "other.ini" in lost.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(shell: str) -> None:
    script = traptorctl("completion", shell)
    assert script.returncode == 0
    assert "_TRAPTORCTL_COMPLETE" in script.stdout


def test_a_reader_that_leaves_is_no_error() -> None:
    """As with `traptorctl status | head -1`."""
    command = f"{sys.executable} -m traptor.supervisor.ctl --help | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.startswith("Usage: traptorctl")
    assert done.stderr == ""
