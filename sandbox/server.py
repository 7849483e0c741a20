"""The whole sandbox: timeline, streams, faults and API in one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any

from aiohttp import web

from traptor.sandbox.admin import Admin, errors_as_json
from traptor.sandbox.archive import Archive
from traptor.sandbox.clock import Clock, system_clock
from traptor.sandbox.errors import BadInput
from traptor.sandbox.faults.fault import Faults
from traptor.sandbox.record import TweetLog
from traptor.sandbox.timeline import Audiences, Timeline
from traptor.sandbox.tweets.maker import TweetMaker
from traptor.sandbox.tweets.replay import Replay
from traptor.sandbox.tweets.rules import Rule
from traptor.sandbox.tweets.values import Value
from traptor.sandbox.v1.accounts import Accounts
from traptor.sandbox.v1.attempts import Attempts
from traptor.sandbox.v1.connections import Connections
from traptor.sandbox.v1.endpoint import FilterEndpoint
from traptor.sandbox.v1.settings import Settings
from traptor.sandbox.v1.soak import Soak
from traptor.sandbox.v1.strikes import Strikes
from traptor.sandbox.v1.tls import tls_context
from traptor.sandbox.v2.service import V2Service
from traptor.sandbox.v2.settings import V2Settings
from traptor.sandbox.wire.queue import ClosedBy

FILTER_PATH = "/1.1/statuses/filter.json"
_MAX_BODY_BYTES = 64 * 1024 * 1024
_SHUTDOWN_S = 1.0


class Sandbox:
    """A local Twitter, with v1.1 and the X API v2; start() and stop() belong to one event loop."""

    def __init__(
        self,
        settings: Settings,
        accounts: Accounts | None = None,
        replay: Replay | None = None,
        clock: Clock = system_clock,
        v2: V2Settings | None = None,
    ) -> None:
        self._settings = settings
        log = TweetLog(settings.keep)
        archive = Archive(settings.archive)
        accounts = accounts or Accounts()
        attempts = Attempts(settings.connects, settings.connects_window_s)
        faults = Faults()
        self._connections = Connections(clock)
        self._strikes = Strikes(self._connections, faults, clock)
        self._soak = Soak(self._strikes, self._account_names, clock)
        self._accounts = accounts
        self._v2 = V2Service(
            _as_v1(v2 or V2Settings(), settings),
            known=lambda: accounts.known,
            is_open=lambda: accounts.is_open,
            next_id=self._connections.next_id,
            archive=archive,
            clock=clock,
        )
        audience = Audiences(self._connections, self._v2.audience)
        self.timeline = Timeline(
            TweetMaker(settings.seed),
            log,
            archive,
            audience,
            clock,
            settings.rate,
            settings.noise,
            settings.edits,
            replay,
        )
        endpoint = FilterEndpoint(
            settings, accounts, attempts, self._connections, faults, self._strikes, clock
        )
        admin = Admin(
            self.timeline,
            log,
            accounts,
            attempts,
            self._connections,
            faults,
            self._strikes,
            self._soak,
            clock,
        )
        self._runner = _runner(endpoint, admin, self._v2)
        self.url = self.tls_url = ""

    def set_rules(self, rules: Sequence[Rule], values: Sequence[Value]) -> None:
        """Make tweets for these rules."""
        self.timeline.set_rules(list(rules), list(values))

    def _account_names(self) -> list[str]:
        """Return the given accounts; if everybody is admitted, those that stream."""
        return self._accounts.names or list({stream.account.name for stream in self._connections.open()})

    async def start(self) -> None:
        """Listen; afterwards `url` and `tls_url` are known. Raises BadInput when that fails."""
        await self._runner.setup()
        host, port = self._settings.host, self._settings.port
        try:
            await web.TCPSite(self._runner, host, port).start()
            if self._settings.ca_file is not None:
                context = tls_context(host, self._settings.ca_file)
                await web.TCPSite(self._runner, host, 0, ssl_context=context).start()
        except OSError as problem:
            await self._runner.cleanup()
            raise BadInput(f"cannot listen on {host}:{port} ({problem.strerror})") from None
        self.url, *tls = map(_url, ("http", "https"), self._runner.addresses)
        self.tls_url = tls[0] if tls else ""
        if self._settings.soak is not None:
            self._soak.begin(self._settings.soak)

    async def run(self, until: asyncio.Event, *jobs: Coroutine[Any, Any, None]) -> None:
        """Run the timeline and the jobs until the event is set; an error in one of them ends this, too."""
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(job) for job in (self.timeline.run(), *jobs)]
            await until.wait()
            for task in running:
                task.cancel()

    async def stop(self) -> None:
        """End all streams properly and close everything."""
        self._soak.end()
        for stream in self._connections.open():
            self._connections.end(stream, ClosedBy.SERVER, "shutdown")
        self._strikes.clear(None)
        self._v2.stop()
        await self._runner.cleanup()


def _as_v1(v2: V2Settings, settings: Settings) -> V2Settings:
    """Let streams of both APIs be written in the same manner."""
    return replace(
        v2,
        keep=settings.keep,
        seed=settings.seed,
        queue_messages=settings.queue_messages,
        chunking=settings.chunking,
        framing=settings.framing,
    )


def _url(scheme: str, address: tuple[str, int]) -> str:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{scheme}://{host}:{address[1]}"


def _runner(endpoint: FilterEndpoint, admin: Admin, v2: V2Service) -> web.AppRunner:
    app = web.Application(middlewares=[errors_as_json], client_max_size=_MAX_BODY_BYTES)
    app.router.add_post(FILTER_PATH, endpoint.handle)
    app.router.add_get(FILTER_PATH, endpoint.handle, allow_head=False)
    app.add_routes(admin.routes())
    app.add_routes(v2.routes())
    # A handler is cancelled when its client disconnects, which is how a stream notices.
    return web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=_SHUTDOWN_S)
