"""One Kafka broker as a child process: KRaft, a node that is its own controller, on 127.0.0.1."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # it is made in C
from trial.ports import free_port

from kafka_parts.classes import ready_classes
from kafka_parts.jars import jars
from kafka_parts.properties import broker_properties
from kafka_parts.remains import link_topic
from traptor.common.errors import TraptorError

_JVM = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_START_S = 180.0  # of Java, on a machine that may be busy
_STOP_S = 60.0
_LOOK_S = 0.05
_ANSWER_S = 5.0
# Kafka, "Producer Configs": it would wait for up to 10 s before it tries again.
_RECONNECT = {"reconnect.backoff.max.ms": 200}


class KafkaFailed(TraptorError):
    """Kafka does not start although everything is present."""


class _Silent:
    """Receives librdkafka's log while the broker is not up yet."""

    def log(self, *_: object) -> None:
        """Drop the line."""


class KafkaProcess:
    """A broker that keeps its port and its messages over `stop` and `start`."""

    def __init__(self, folder: Path, port: int = 0, properties: Mapping[str, str] | None = None) -> None:
        """Prepare it; `folder` is created and holds everything. Port 0: a free one. `properties`: its own."""
        self._folder = folder
        self.port = port or free_port()
        self._own = properties or {}
        self._properties = {**broker_properties(self.data, self.port, free_port()), **self._own}
        self._former = self._kept = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """The folder of its messages."""
        return self._folder / "data"

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while it runs."""
        return None if self._process is None else self._process.poll()

    def launch(self) -> None:
        """Start it without waiting until it answers. Raises KafkaMissing and KafkaFailed."""
        _need_free(self.port)
        java = _java(f"-XX:SharedArchiveFile={ready_classes(_write_classes)}")
        self._prepare(java)
        self._run(java)

    def _prepare(self, java: list[str]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file.write_text("".join(f"{name}={value}\n" for name, value in self._properties.items()))
        if not (self.data / "meta.properties").exists():
            self._format(java)

    def _run(self, java: list[str]) -> None:
        with (self._folder / "output.txt").open("ab") as output:
            self._process = subprocess.Popen(
                [*java, "kafka.Kafka", str(self._file)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def rebuild(self) -> KafkaProcess:
        """Stop it in order; the next start at its port is a different, empty cluster.

        Return the former one, with its messages; the caller may start it at a port of its own.
        """
        self.stop()
        self._former += 1
        folder = self._folder.with_name(f"{self._folder.name}-former-{self._former}")
        self._folder.rename(folder)
        return KafkaProcess(folder, properties=self._own)

    def start(self) -> KafkaProcess:
        """Start it and wait until it answers. Raises KafkaMissing and KafkaFailed."""
        self.launch()
        try:
            self.wait_until_up()
        except BaseException:
            self.kill()
            raise
        return self

    def wait_until_up(self) -> None:
        """Wait until it answers. Raises KafkaFailed."""
        deadline = time.monotonic() + _START_S
        while not self.answers(_ANSWER_S):
            if self.exit_code is not None or time.monotonic() > deadline:
                words = (self._folder / "output.txt").read_text(errors="replace").strip()[-300:]
                raise KafkaFailed(f"Kafka does not start: {words}")

    def answers(self, within_s: float) -> bool:
        """Tell whether it serves clients."""
        try:
            self._admin(lambda admin: admin.list_topics(timeout=within_s))
        except KafkaException:
            return False
        return True

    def create_topic(self, name: str, partitions: int = 3, **config: str) -> None:
        """Create a topic and wait until the broker knows it; `config` has its options, `_` for dots."""
        options = {option.replace("_", "."): value for option, value in config.items()}
        topic = NewTopic(name, partitions, 1, config=options)
        self._admin(lambda admin: admin.create_topics([topic])[name].result(_STOP_S))
        deadline = time.monotonic() + _STOP_S
        while self._leaders(name) < partitions:
            if time.monotonic() > deadline:
                raise KafkaFailed(f"the topic {name} has no leaders {_STOP_S:g} s after it was made")
            time.sleep(_LOOK_S)

    def delete_topic(self, name: str) -> None:
        """Delete a topic with all its messages."""
        self._admin(lambda admin: admin.delete_topics([name])[name].result(_STOP_S))

    def keep_topic(self, name: str) -> Path:
        """Return a new folder with all that a topic will hold when it is deleted."""
        self._kept += 1
        return link_topic(self.data, name, self._folder.with_name(f"{self._folder.name}-kept-{self._kept}"))

    def ensure_topics(self, names: Iterable[str], partitions: int = 3) -> None:
        """Create the missing topics."""
        there: set[str] = set()
        self._admin(lambda admin: there.update(admin.list_topics(timeout=_STOP_S).topics))
        for name in set(names) - there:
            self.create_topic(name, partitions)

    def wait(self) -> int:
        """Wait until it ends by itself and return its exit code."""
        assert self._process is not None
        return self._process.wait()

    def stop(self) -> None:
        """Stop it in order."""
        if self._process is not None:
            self.resume()
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Suspend it: it keeps its connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Resume it."""
        if self.exit_code is None:
            os.kill(self.pid, signal.SIGCONT)

    def _leaders(self, topic: str) -> int:
        """Return how many partitions of a topic have a leader, as the broker itself knows it."""
        found: list[int] = []

        def ask(admin: AdminClient) -> None:
            partitions = admin.list_topics(topic, timeout=_STOP_S).topics[topic].partitions
            found.extend(number for number, partition in partitions.items() if partition.leader >= 0)

        self._admin(ask)
        return len(found)

    def _admin(self, ask: Callable[[AdminClient], object]) -> None:
        ask(AdminClient({"bootstrap.servers": self.bootstrap_servers, **_RECONNECT}, logger=_Silent()))

    @property
    def _file(self) -> Path:
        return self._folder / "server.properties"

    def _format(self, java: list[str]) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # One argument: an id that begins with a hyphen would be taken for an option.
        command = [*java, "kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster_id}"]
        command += ["-c", str(self._file)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_START_S, check=False)
        if ended.returncode:
            raise KafkaFailed(f"Kafka's storage cannot be made: {ended.stderr.strip()[-300:]}")


def _java(*options: str) -> list[str]:
    return ["java", *_JVM, *options, "-cp", f"{jars()}/*"]


def _write_classes(file: Path) -> None:
    """Write what a broker has loaded, which Java does when it ends."""
    with tempfile.TemporaryDirectory(prefix="traptor-kafka-") as folder:
        broker = KafkaProcess(Path(folder) / "broker")
        broker._prepare(_java())
        broker._run(_java(f"-XX:ArchiveClassesAtExit={file}"))
        try:
            broker.wait_until_up()
        finally:
            broker.stop()


def _need_free(port: int) -> None:
    """Raise KafkaFailed when another server listens: its answers would be taken for the broker's."""
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as Java does: old connections may linger
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise KafkaFailed(f"port {port} cannot be used: {error.strerror}; name another one") from None
