"""What a container asks of the supervisor: to be PID 1, to log to stdout, and the image's own settings."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml
from support.collection import Collection, Key
from support.inventory import build_wheel, make_environment
from support.kafka import all_messages, running_kafka
from support.paths import DEPLOY
from support.waiting import DEADLINE_S, wait_for

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
def test_the_images_steps_deliver_to_kafka_in_a_plain_environment(
    make_collection: Make, as_init: tuple[str, ...], tmp_path: Path
) -> None:
    """The wheel in an environment, the image's command, variables and settings, in folders of the test."""
    collection = make_collection(Key("k1"), sandbox=("--v2-effect", "0", "--v2-rate", "0"))
    collection.add_rules("track:0", ["storm"])
    place = tmp_path / "opt" / "traptor"
    make_environment(place)
    wheel = build_wheel(tmp_path / "wheels", "0.1.1")
    subprocess.run([place / "bin" / "pip", "install", "-q", "--no-deps", "--no-index", wheel], check=True)
    write_settings(tmp_path, collection.keys)

    with running_kafka(tmp_path / "kafka") as kafka, (tmp_path / "stdout.txt").open("wb") as stdout:
        environment = {
            "PATH": f"{place}/bin:/usr/bin:/bin",
            "TRAPTOR_REDIS_URL": collection.redis_url,
            "TRAPTOR_KAFKA": kafka.bootstrap_servers,
            "TRAPTOR_TOPIC": "tweets",
            "TRAPTOR_API_URL": collection.sandbox.url,
        }
        command = [*as_init, *entry_point(tmp_path)]
        process = subprocess.Popen(command, env=environment, stdout=stdout, stderr=stdout)
        try:
            wait_for(collection.streaming, "a stream")
            collection.sandbox.set_rules([("track", "storm")])
            wait_for(lambda: len(all_messages(kafka, "tweets")) > 10, "tweets in Kafka")
            assert is_healthy(tmp_path, environment)
            [init] = psutil.Process(process.pid).children()
            init.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE_S) == 0
            assert not is_healthy(tmp_path, environment)
        finally:
            process.kill()
            process.wait()
    text = (tmp_path / "stdout.txt").read_text()
    assert json.loads(text.splitlines()[-1])["message"] == "supervisor stopped"
    assert "SECRET" not in text


def is_healthy(root: Path, environment: dict[str, str]) -> bool:
    """What the image's health check says."""
    [words] = re.findall(
        r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", (CONTAINER / "Dockerfile").read_text(), re.MULTILINE
    )
    command = [word.replace("/run/traptor", f"{root}/run") for word in json.loads(words)]
    return subprocess.run(command, env=environment, check=False, timeout=DEADLINE_S).returncode == 0


def entry_point(root: Path) -> list[str]:
    """The image's command, with its settings in another place."""
    dockerfile = (CONTAINER / "Dockerfile").read_text()
    words: list[str] = []
    for name in ("ENTRYPOINT", "CMD"):
        words += json.loads(re.findall(rf"^{name} (\[.*\])$", dockerfile, re.MULTILINE)[-1])
    return [word.replace("/etc/traptor", str(root)) for word in words]


def write_settings(root: Path, keys: list[Key]) -> None:
    """The image's settings and the secret, below another root."""
    ini = (CONTAINER / "traptor.ini").read_text()
    ini = ini.replace("/run/traptor", f"{root}/run").replace("/var/lib/traptor", f"{root}/lib")
    (root / "traptor.ini").write_text(ini.replace("/run/secrets", f"{root}/secrets"))
    secret = root / "secrets" / "apikeys.yml"
    secret.parent.mkdir()
    secret.write_text(yaml.safe_dump({"apikeys": [key.account() for key in keys]}))
    secret.chmod(0o600)
