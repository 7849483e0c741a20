"""The whole X API v2: apps, streams, endpoints, and the API that gives it orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aiohttp import web

from traptor.sandbox.archive import Archive
from traptor.sandbox.clock import Clock
from traptor.sandbox.faults.waiting import Waiting
from traptor.sandbox.v2.admin import V2Admin
from traptor.sandbox.v2.apps.contracts import Contracts
from traptor.sandbox.v2.apps.registry import Apps, Credentials
from traptor.sandbox.v2.apps.windows import Endpoint, Windows
from traptor.sandbox.v2.bill import Bill
from traptor.sandbox.v2.compliance.endpoint import STORAGE, ComplianceEndpoint
from traptor.sandbox.v2.compliance.gone import GoneIds
from traptor.sandbox.v2.compliance.jobs import Jobs
from traptor.sandbox.v2.compliance.storage import Storage
from traptor.sandbox.v2.endpoints.changes import RuleChanges
from traptor.sandbox.v2.endpoints.connections import ConnectionsEndpoint
from traptor.sandbox.v2.endpoints.gate import Gate
from traptor.sandbox.v2.endpoints.listing import RuleListing
from traptor.sandbox.v2.endpoints.stream import StreamEndpoint
from traptor.sandbox.v2.endpoints.token import TokenEndpoint
from traptor.sandbox.v2.endpoints.tweetcounts import TweetCountsEndpoint
from traptor.sandbox.v2.endpoints.usage import UsageEndpoint
from traptor.sandbox.v2.endpoints.users import UsersEndpoint
from traptor.sandbox.v2.faults.fault import V2Fault
from traptor.sandbox.v2.faults.kinds import V2FaultKind
from traptor.sandbox.v2.people import People
from traptor.sandbox.v2.problems import Spelling
from traptor.sandbox.v2.search.endpoint import SearchEndpoint
from traptor.sandbox.v2.search.finder import Finder
from traptor.sandbox.v2.settings import V2Settings
from traptor.sandbox.v2.streams.audience import PostAudience
from traptor.sandbox.v2.streams.history import History
from traptor.sandbox.v2.streams.matches import MatchLog
from traptor.sandbox.v2.streams.slots import Slots
from traptor.sandbox.v2.streams.strikes import V2Strikes
from traptor.sandbox.wire.pump import Pump
from traptor.sandbox.wire.queue import ClosedBy
from traptor.sandbox.wire.sockets import Sockets

_STREAM = "/2/tweets/search/stream"
_RULES = f"{_STREAM}/rules"
_CONNECTIONS = "/2/connections"
_JOBS = "/2/compliance/jobs"


class V2Service:
    """The v2 side of a sandbox. `audience` reads the timeline, `routes` are all its endpoints."""

    def __init__(
        self,
        settings: V2Settings,
        known: Callable[[], Sequence[Credentials]],
        is_open: Callable[[], bool],
        next_id: Callable[[], int],
        archive: Archive,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._archive = archive
        self._clock = clock
        self._faults: Waiting[V2Fault] = Waiting()
        self._spelling = Spelling(settings.problem_host)
        self._sockets = Sockets()
        self._bill = Bill(settings.prices)
        self._people = People()
        self._gone = GoneIds(clock)
        self._apps = Apps(known, settings.bearers, is_open)
        self._contracts = Contracts(settings.usual_contract(), settings.enterprise)
        self._windows = Windows(settings.window_s, settings.connects, settings.search_every_s)
        self._slots = Slots(next_id, self._linger_s, self._spelling, clock)
        self._strikes = V2Strikes(self._slots, self._faults, self._sockets, self._spelling, clock)
        self._matches = MatchLog(settings.keep)
        self._gate = Gate(self._apps, self._windows, self._faults, self._spelling, clock)
        self.audience = PostAudience(self._apps, self._slots, self._faults, self._matches, clock)

    def routes(self) -> list[web.RouteDef]:
        """Return X's endpoints and those of the sandbox's own API."""
        admin = self._admin().routes()
        return [
            *self._rule_routes(),
            *self._other_routes(),
            *self._reading_routes(),
            *self._compliance_routes(),
            *admin,
        ]

    def stop(self) -> None:
        """End all streams properly and close the held sockets."""
        for stream in self._slots.open():
            self._slots.end(stream, ClosedBy.SERVER, "shutdown")
        self._sockets.clear(None)

    def _rule_routes(self) -> list[web.RouteDef]:
        listing = RuleListing(self._contracts, self._clock)
        changes = RuleChanges(self._settings, self._contracts, self._spelling, self._clock)
        guard = self._gate.guard
        return [
            web.get(_RULES, guard(Endpoint.RULES_LIST, listing.list), allow_head=False),
            web.post(_RULES, guard(Endpoint.RULES_CHANGE, changes.change)),
            web.get(f"{_RULES}/counts", guard(Endpoint.RULES_COUNTS, listing.count), allow_head=False),
        ]

    def _other_routes(self) -> list[web.RouteDef]:
        pump = Pump(self._settings.keep_alive_s, self._sockets, self._clock)
        stream = StreamEndpoint(
            self._settings,
            self._contracts,
            self._slots,
            self._faults,
            self._strikes,
            History(self._matches, self._archive, self._clock),
            self._bill,
            pump,
            self._clock,
        )
        connections = ConnectionsEndpoint(self._slots, self._clock)
        usage = UsageEndpoint(self._bill, self._clock)
        guard = self._gate.guard
        return [
            web.get(_STREAM, guard(Endpoint.STREAM, stream.handle), allow_head=False),
            web.get(_CONNECTIONS, guard(Endpoint.CONNECTIONS_LIST, connections.list), allow_head=False),
            web.delete(_CONNECTIONS, guard(Endpoint.CONNECTIONS_KILL, connections.kill)),
            web.delete(
                f"{_CONNECTIONS}/filtered_stream", guard(Endpoint.CONNECTIONS_KILL, connections.kill_all)
            ),
            web.delete(f"{_CONNECTIONS}/all", guard(Endpoint.CONNECTIONS_KILL, connections.kill_all)),
            web.get("/2/usage/tweets", guard(Endpoint.USAGE, usage.show), allow_head=False),
            web.post("/oauth2/token", self._gate.open(Endpoint.TOKEN, TokenEndpoint(self._apps).give)),
        ]

    def _reading_routes(self) -> list[web.RouteDef]:
        users = UsersEndpoint(self._people, self._bill, self._clock)
        counts = TweetCountsEndpoint(self._archive, self._clock)
        search = SearchEndpoint(
            Finder(self._archive), self._contracts, self._settings.search_lag_s, self._bill, self._clock
        )
        guard = self._gate.guard
        return [
            web.get("/2/users", guard(Endpoint.USERS, users.by_id), allow_head=False),
            web.get("/2/users/by", guard(Endpoint.USERS, users.by_name), allow_head=False),
            web.get("/2/tweets/counts/recent", guard(Endpoint.TWEET_COUNTS, counts.count), allow_head=False),
            web.get("/2/tweets/search/all", guard(Endpoint.SEARCH_ALL, search.search), allow_head=False),
        ]

    def _compliance_routes(self) -> list[web.RouteDef]:
        jobs = Jobs(self._gone, self._settings.compliance_s, self._clock)
        endpoint, storage = ComplianceEndpoint(jobs), Storage(jobs)
        guard = self._gate.guard
        return [
            web.post(_JOBS, guard(Endpoint.COMPLIANCE, endpoint.make)),
            web.get(_JOBS, guard(Endpoint.COMPLIANCE, endpoint.list), allow_head=False),
            web.get(f"{_JOBS}/{{id}}", guard(Endpoint.COMPLIANCE, endpoint.show), allow_head=False),
            web.put(f"{STORAGE}/{{key}}/ids", storage.take),
            web.get(f"{STORAGE}/{{key}}/results", storage.give, allow_head=False),
        ]

    def _admin(self) -> V2Admin:
        return V2Admin(
            self._apps,
            self._contracts,
            self._windows,
            self._slots,
            self._faults,
            self._strikes,
            self._matches,
            self._bill,
            self._people,
            self._gone,
            self._gate.log,
            self._clock,
        )

    def _linger_s(self, app: str) -> float:
        """Return how long a slot of the app stays taken after a client that disconnects now."""
        faults = self._faults.take_if(
            app, self._clock().mono, lambda fault: fault.kind is V2FaultKind.LINGER, most=1
        )
        return faults[0].linger_s if faults else self._settings.linger_s
