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
from support.rotation import rotation_of
from support.waiting import DEADLINE_S, wait_for

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
    """Files, system calls, address families and capabilities as in the unit; keys as credentials."""
    debian_program("systemd-analyze", "systemd", "libsystemd-shared", "libseccomp2")  # names the system calls
    credentials = tmp_path / "credentials"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    collection = make_collection(Key("k1"))
    write_credentials(credentials, *collection.keys)
    collection.keys = []
    collection.options = {"keys": {"file": "${CREDENTIALS_DIRECTORY}/apikeys.yml"}}
    folders = [tmp_path / name for name in ("run", "state", "logs", "output")]
    for folder in folders:
        folder.mkdir(mode=0o750)
    confined = ROOT / "tests" / "support" / "confined.py"
    collection.program = (str(confined), str(UNIT), ":".join(map(str, folders)))
    collection.add_rules("track:0", ["flood", "storm"])
    collection.start()

    pids = collection.wait_streaming("track:0")
    master = psutil.Process(collection.status()["pid"])
    assert {process_status(pid, "Seccomp") for pid in (master.pid, pids["track:0"])} == {"2"}
    assert int(process_status(master.pid, "CapBnd"), 16) == 0
    if os.geteuid() == 0:
        assert "ro" in mount_options(master.pid, "/")
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


def test_logs_are_rotated_by_logrotate_while_they_are_written(
    make_collection: Callable[..., Collection], tmp_path: Path
) -> None:
    """Nobody is signalled: the supervisor and its worker notice that their files were renamed."""
    logrotate = debian_program("logrotate", "logrotate", "libpopt0")
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", ["flood"])
    collection.start()
    collection.wait_streaming("track:0")
    collection.logs.chmod(0o750)
    config = rotation_of(collection.logs, tmp_path / "logrotate.conf")
    done = logrotate.run("-f", "-s", tmp_path / "rotated", config)
    assert done.returncode == 0, done.stdout
    collection.signal(signal.SIGHUP)
    collection.wait_log("reloaded")
    assert collection.stop() == 0
    collection.wait_log("drained", name="track:0")
    assert "reloaded" not in (collection.logs / "supervisor.log.1").read_text()
    assert "streaming" in (collection.logs / "track:0.log.1").read_text()


def test_a_hung_supervisor_that_systemd_ends_leaves_its_stack_and_no_worker(
    make_collection: Callable[..., Collection],
) -> None:
    """systemd sends ABRT when the sign of life does not come (WatchdogSec)."""
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", ["flood"])
    collection.start()
    worker = psutil.Process(collection.wait_streaming("track:0")["track:0"])
    collection.signal(signal.SIGABRT)
    assert collection.process is not None
    assert collection.process.wait(DEADLINE_S) == -signal.SIGABRT
    stack = (collection.folder / "stderr.txt").read_text()
    assert "Fatal Python error: Aborted" in stack
    assert "supervisor/cli.py" in stack
    assert "Thread 0x" not in stack, "others run on: Python may crash over theirs"
    wait_for(lambda: not worker.is_running(), "the worker ends with it")


def process_status(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines)[name].strip()


def mount_options(pid: int, point: str) -> list[str]:
    mounts = [line.split() for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()]
    return next(words[5].split(",") for words in mounts if words[4] == point)


def oom_score(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())
