"""What a container asks of the supervisor: to be PID 1, to log to stdout, and the image's own settings."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml
from support.collection import Collection, Key
from support.image import Image
from support.kafka import all_messages, running_kafka
from support.paths import DEPLOY, ROOT
from support.twin import PYTHON, twin
from support.waiting import DEADLINE_S, wait_for
from support.wheelhouse import wheels_for

CONTAINER = DEPLOY / "container"

Make = Callable[..., Collection]


@pytest.fixture
def as_init() -> tuple[str, ...]:
    """The command that makes what follows PID 1 of a namespace of its own."""
    command = ["unshare", "--fork", "--kill-child", "--pid", "--mount-proc"]
    command += [] if os.geteuid() == 0 else ["--map-root-user"]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], check=False).returncode:
        pytest.skip("no namespaces can be made here: it takes root, or user namespaces")
    return tuple(command)


def test_as_pid_1_it_collects_reaps_orphans_and_ends_in_order(
    make_collection: Make, as_init: tuple[str, ...]
) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {"supervisor": {"log_dir": "-"}}
    collection.add_rules("track:0", ["flood"])
    collection.start(before=as_init)
    collection.wait_streaming("track:0")
    assert collection.status()["pid"] == 1
    assert collection.process is not None
    [init] = psutil.Process(collection.process.pid).children()

    orphan = make_orphan(init.pid)
    orphan.terminate()
    wait_for(lambda: not psutil.pid_exists(orphan.pid), "the orphan is reaped when it has ended")

    collection.sandbox.set_rules([("track", "flood")])
    wait_for(lambda: collection.tweets("track:0"), "tweets are delivered")
    [forker] = init.children()
    [worker] = forker.children()
    forker.kill()
    wait_for(lambda: not psutil.pid_exists(worker.pid), "its worker is reaped when it has died with it")
    collection.wait_streaming("track:0")
    wait_for(lambda: len(init.children()) == 1, "nothing is left but another forker")
    init.send_signal(signal.SIGTERM)
    assert collection.process.wait(60) == 0
    logged = (collection.folder / "stderr.txt").read_text()
    assert "stopping: streams close, outputs are flushed" in logged
    assert "supervisor stopped" in logged.splitlines()[-1]
    assert not collection.logs.exists()


def make_orphan(init: int) -> psutil.Process:
    """Start a process in the namespace whose parent ends at once, so that PID 1 gets it."""
    enter = ["nsenter", "--target", str(init), "--pid", "--mount"]
    script = "sleep 300 </dev/null >/dev/null 2>&1 & exit"
    subprocess.run([*enter, "sh", "-c", script], check=True, timeout=60)
    found = [child for child in psutil.Process(init).children() if child.name() == "sleep"]
    assert len(found) == 1, "it is a child of PID 1"
    return found[0]


@pytest.mark.long
def test_what_the_dockerfile_makes_collects_as_compose_runs_it(make_collection: Make, tmp_path: Path) -> None:
    """Each step, then its command: as its user, as PID 1, and with all but its folders read-only."""
    collection = make_collection(Key("k1"), sandbox=("--v2-effect", "0", "--v2-rate", "0"))
    collection.add_rules("track:0", ["storm"])
    services = yaml.safe_load((CONTAINER / "compose.yaml").read_text())["services"]
    service, stdout = services["traptor"], tmp_path / "stdout.txt"
    wheels = tmp_path / "wheels"
    wheels_for(wheels, "traptor-supervisor", "setuptools")
    tools = {
        "PATH": f"{PYTHON.parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_COMPILE": "0",
    }
    with twin(tmp_path) as enter, running_kafka(tmp_path / "kafka") as kafka:
        image = Image(enter, tools)
        image.build(CONTAINER / "Dockerfile", ROOT)
        give_secret(enter, tmp_path, image.user, collection.keys)
        environment = {
            "TRAPTOR_REDIS_URL": collection.redis_url,
            "TRAPTOR_KAFKA": kafka.bootstrap_servers,
            "TRAPTOR_TOPIC": "tweets",
            "TRAPTOR_API_URL": collection.sandbox.url,
        }
        assert set(environment) == set(service["environment"])
        container = image.run(service, environment, stdout)
        try:
            wait_for(lambda: "stream connected" in stdout.read_text(), "a stream")
            collection.sandbox.set_rules([("track", "storm")])
            wait_for(lambda: len(all_messages(kafka, "tweets")) > 10, "tweets in Kafka")
            assert container.is_healthy()
            written = container.told(
                "sh", "-c", "id -u; touch /var/lib/traptor/x /run/traptor/x; touch /opt/x"
            )
            assert (written.stdout, written.stderr.count("Read-only file system")) == ("10001\n", 1)
            sandbox = [*services["sandbox"]["entrypoint"], *services["sandbox"]["command"]]
            assert container.told(*sandbox, "--help").returncode == 0
            container.init().send_signal(signal.SIGTERM)
            assert container.process.wait(DEADLINE_S) == 0
        finally:
            container.end()
    text = stdout.read_text()
    assert json.loads(text.splitlines()[-1])["message"] == "supervisor stopped"
    assert "SECRET" not in text


def give_secret(enter: tuple[str, ...], folder: Path, user: str, keys: list[Key]) -> None:
    """Put the keys where compose mounts them, owned by the image's user."""
    file = folder / "apikeys.yml"
    file.write_text(yaml.safe_dump({"apikeys": [key.account() for key in keys]}))
    owner, _, group = user.partition(":")
    install = ["install", "-D", "-o", owner, "-g", group, "-m", "600", file, "/run/secrets/apikeys.yml"]
    subprocess.run([*enter, *install], check=True)
