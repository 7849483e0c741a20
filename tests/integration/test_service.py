"""A collection as a service of systemd: inside of the unit's limits, and with a manager that listens."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml
from support.collection import Collection, Key
from support.debian import debian_program
from support.manager import Manager
from support.paths import DEPLOY, ROOT
from support.waiting import wait_for

UNIT = DEPLOY / "systemd" / "traptor.service"


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    manager = Manager(f"@traptor-service-{os.getpid()}")
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    yield manager
    manager.close()


def write_credentials(folder: Path, *keys: Key) -> None:
    """As systemd does, in a folder that one may read, with an access list that looks like group access."""
    folder.mkdir(exist_ok=True)
    path = folder / "apikeys.yml"
    path.write_text(yaml.safe_dump({"apikeys": [key.account() for key in keys]}))
    path.chmod(0o440)


def test_a_collection_in_the_units_limits_tells_what_it_does(
    make_collection: Callable[..., Collection],
    manager: Manager,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """System calls, address families and capabilities as in the unit; keys as credentials."""
    debian_program("systemd-analyze", "systemd", "libsystemd-shared", "libseccomp2")  # names the system calls
    credentials = tmp_path / "credentials"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    collection = make_collection(Key("k1"))
    write_credentials(credentials, *collection.keys)
    collection.keys = []
    collection.options = {"keys": {"file": "${CREDENTIALS_DIRECTORY}/apikeys.yml"}}
    collection.program = (str(ROOT / "tests" / "support" / "confined.py"), str(UNIT))
    collection.add_rules("track:0", ["flood", "storm"])
    collection.start()

    pids = collection.wait_streaming("track:0")
    master = psutil.Process(collection.status()["pid"])
    assert {process_status(pid, "Seccomp") for pid in (master.pid, pids["track:0"])} == {"2"}
    assert int(process_status(master.pid, "CapBnd"), 16) == 0
    assert oom_score(pids["track:0"]) > oom_score(master.pid)
    wait_for(
        lambda: manager.has_heard("READY=1", "STATUS=1 of 1 connection streaming, 2 rules"), "it is ready"
    )
    assert manager.all.count("READY=1") == 1
    wait_for(lambda: manager.has_heard("WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"), "the watchdog is fed")

    collection.signal(signal.SIGHUP)
    reload = ("RELOADING=1\nMONOTONIC_USEC=", "READY=1")
    wait_for(lambda: manager.has_heard("READY=1", *reload), "the reload is told")
    collection.sandbox.set_rules([("track", "flood"), ("track", "storm")])
    wait_for(lambda: collection.tweets("track:0"), "tweets are delivered")

    collection.add_rules("follow:0", ["12"])
    collection.hint("follow:0")
    wanted = "STATUS=follow:0 NOT COLLECTING 1 rule since "
    wait_for(lambda: manager.has_heard(*reload, wanted), "the first problem is told")
    assert "chmod 600" not in collection.log()

    assert collection.stop() == 0
    assert manager.has_heard(wanted, "STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=20000000")


def process_status(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines)[name].strip()


def oom_score(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())
