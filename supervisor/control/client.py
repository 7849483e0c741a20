"""Query a supervisor through its control socket."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import msgspec

from traptor.common.errors import TraptorError
from traptor.supervisor.control.place import socket_path

_ANSWER_S = 10.0


class SeenGeneration(msgspec.Struct, frozen=True):
    """One generation, as shown in a status."""

    state: str
    key: str | None

    @property
    def streams(self) -> bool:
        """True while its stream is open."""
        return self.state == "STREAMING"


class SeenConnection(msgspec.Struct, frozen=True):
    """One connection, as shown in a status; times are Unix seconds."""

    connection: str
    state: str
    rules: int
    waits_for: str | None
    waits_until: float | None
    serving: SeenGeneration | None
    successor: SeenGeneration | None

    @property
    def shown_state(self) -> str:
        """The state of the generation that serves it, or its own when none does."""
        return self.serving.state if self.serving else self.state

    @property
    def streams(self) -> bool:
        """True while it has a stream."""
        return any(g is not None and g.streams for g in (self.serving, self.successor))


class SeenKey(msgspec.Struct, frozen=True):
    """One key, as shown in a status."""

    key: str
    state: str
    budget_left: int
    not_before: float | None


class SeenGroup(msgspec.Struct, frozen=True):
    """One group, as shown in a status."""

    group: str
    heartbeat_shared: bool = False


class SeenUse(msgspec.Struct, frozen=True):
    """The state of one use of Redis, as shown in a status."""

    used_for: str
    state: str
    error: str | None


class SeenJob(msgspec.Struct, frozen=True):
    """A job of the master that has failed, as shown in a status; `error` is None once it works again."""

    job: str
    error: str | None


class SeenStatus(msgspec.Struct, frozen=True):
    """The part of a status that is used here."""

    pid: int
    redis_uses: list[SeenUse]
    jobs: list[SeenJob]
    groups: list[SeenGroup]
    connections: list[SeenConnection]
    keys: list[SeenKey]


class NoAnswer(TraptorError):
    """The supervisor cannot be asked, or its answer cannot be read."""


async def ask_status(run_dir: Path, within_s: float = _ANSWER_S) -> SeenStatus:
    """Return the status of this run_dir's supervisor. Raises NoAnswer and ConfigError."""
    path = socket_path(run_dir)
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(path)), timeout=aiohttp.ClientTimeout(within_s)
            ) as session,
            session.get("http://localhost/api/status") as response,
        ):
            body = await response.read()
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise NoAnswer(f"{path}: {str(error) or f'no answer in {within_s:g} s'}") from None
    try:
        return msgspec.json.decode(body, type=SeenStatus)
    except msgspec.DecodeError:
        raise NoAnswer(f"{path}: the answer is not a status that this version understands") from None
