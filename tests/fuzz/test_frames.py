"""Whatever a worker says, the master takes it or calls it a fault; whatever a server says, it is a wait."""

from __future__ import annotations

import asyncio
import json
import math
import random
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson
from hypothesis import given
from hypothesis import strategies as st
from support.fuzzing import examples, mangled
from support.keypools import make_key, make_pool
from support.planted import SECRET

from traptor.common.birth import Birth, WorkerSettings
from traptor.common.counts import Counters
from traptor.common.errors import ProtocolError
from traptor.common.files.outboxes import Left
from traptor.common.fills import FillEnd
from traptor.common.messages import (
    HEADER,
    Activity,
    Connect,
    Connected,
    Disconnected,
    DisconnectKind,
    Drain,
    Drained,
    FromWorker,
    MayConnect,
    OutboxFull,
    PieceFetched,
    Ready,
    Report,
    frame,
    from_master,
    from_worker,
)
from traptor.common.rules.rule import GroupId
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.outcomes import Outcomes
from traptor.supervisor.gaps.interval import GapCause, instant
from traptor.supervisor.gaps.timeline import GapTracker
from traptor.supervisor.keys.conduct.failures import LONGEST_ASKED_S, Failure
from traptor.supervisor.status.connections import of_connection
from traptor.supervisor.status.keys import of_key
from traptor.supervisor.status.rates import Rates
from traptor.supervisor.workers.channel import Channel
from traptor.supervisor.workers.crashes import CrashBackoff, RestartLimits
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.runclock import RunClock
from traptor.supervisor.workers.spec import Spec, connect_message, key_spec
from traptor.supervisor.workers.states import GenerationState
from traptor.supervisor.workers.switchboard import Switchboard

# ---- bytes

ANY_FLOAT = st.floats()
SMALL_TEXTS = st.text(max_size=10)
COUNTS = st.one_of(st.integers(0, 5), st.integers(-(2**63), 2**63 - 1))


ZONES = ["GMT", "+0000", "-9999", "+2359", "+" + "9" * 30, ""]
HEADER_TEXTS = st.one_of(
    st.text(max_size=20),
    st.integers().map(str),
    st.floats().map(str),
    st.builds("Wed, {} Nov {} {}:59:59 {}".format, *[st.integers(0, 10**22)] * 3, st.sampled_from(ZONES)),
    st.sampled_from(
        ["Wed, 25 Nov 2026 22:00:00 GMT", "9" * 60_000, "1_0", "nan", "Mon, " * 12_000, "(" * 60_000]
    ),
)


def messages(times: st.SearchStrategy[float]) -> st.SearchStrategy[FromWorker]:
    """Anything that a worker can put into a frame."""
    counters = st.builds(
        Counters, received=COUNTS, limited=COUNTS, other=st.dictionaries(SMALL_TEXTS, COUNTS, max_size=2)
    )
    headers = st.dictionaries(
        st.sampled_from(["date", "retry-after", "x-rate-limit-reset", "set-cookie"]), HEADER_TEXTS, max_size=3
    )
    return st.one_of(
        st.just(Ready()),
        st.just(MayConnect()),
        st.builds(OutboxFull),
        st.builds(Connected, times),
        st.builds(Drained, COUNTS),
        st.builds(
            PieceFetched,
            number=COUNTS,
            end=st.sampled_from(FillEnd),
            posts=COUNTS,
            new=COUNTS,
            reads=st.dictionaries(SMALL_TEXTS, COUNTS, max_size=2),
            status=st.one_of(st.none(), COUNTS),
            headers=headers,
            detail=SMALL_TEXTS,
            problem=SMALL_TEXTS,
        ),
        st.builds(
            Disconnected,
            kind=st.sampled_from(DisconnectKind),
            at=times,
            last_byte_at=times,
            streamed=st.booleans(),
            reached=st.booleans(),
            status=st.one_of(st.none(), st.sampled_from([200, 401, 403, 404, 420, 429, 503]), COUNTS),
            headers=headers,
            detail=SMALL_TEXTS,
        ),
        st.builds(
            Report,
            at=times,
            activity=st.sampled_from(Activity),
            activity_since=times,
            last_byte_at=times,
            safe_until=times,
            backlog=COUNTS,
            outbox_bytes=COUNTS,
            counters=counters,
        ),
    )


CONNECT = Connect(
    key_id="k", key_name="k", consumer_key=SECRET, consumer_secret=SECRET, access_token=SECRET,
    access_token_secret=SECRET, proxy=f"http://u:{SECRET}@proxy",
)  # fmt: skip
PAYLOADS = st.one_of(
    st.binary(max_size=60),
    messages(ANY_FLOAT).map(lambda message: frame(message)[HEADER.size :]).flatmap(mangled),
    st.sampled_from([CONNECT, Drain(1.0)]).map(lambda order: frame(order)[HEADER.size :]).flatmap(mangled),
    st.sampled_from(
        [b"\x91" * 100_000, b"\x81\xa4type" * 50_000, b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff"]
    ),
)


def framed(payload: bytes) -> bytes:
    return HEADER.pack(len(payload)) + payload


@examples(150)
@given(payload=PAYLOADS)
def test_any_payload_is_a_message_or_a_protocol_error_without_its_content(payload: bytes) -> None:
    for decode in (from_worker, from_master):
        try:
            message = decode(payload)
        except ProtocolError as error:
            assert SECRET not in str(error)
            assert len(str(error)) < 300
        else:
            assert SECRET not in repr(message) or not isinstance(message, Connect)


@examples(40)
@given(
    stream=st.lists(st.one_of(st.binary(max_size=30), PAYLOADS.map(framed))),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
)
def test_any_bytes_of_a_worker_in_any_pieces_are_messages_until_one_fault(
    stream: list[bytes], sizes: list[int]
) -> None:
    heard: list[FromWorker] = []
    faults: list[ProtocolError] = []

    async def talk() -> None:
        ours, theirs = socket.socketpair()
        switchboard = Switchboard()
        channel = Channel(ours, switchboard, heard.append, faults.append)
        theirs.setblocking(False)
        data, position, turn = b"".join(stream), 0, 0
        while position < len(data) and not faults:
            piece = data[position : position + sizes[turn % len(sizes)] * (1 if len(data) < 2_000 else 1_000)]
            await asyncio.get_running_loop().sock_sendall(theirs, piece)
            position, turn = position + len(piece), turn + 1
            switchboard.hear()
        theirs.close()
        channel.read_rest()
        channel.close()
        switchboard.close()

    asyncio.run(talk())
    assert len(faults) <= 1
    assert all(SECRET not in str(fault) for fault in faults)


# ---- what a message does

SETTINGS = cast(
    Any,
    SimpleNamespace(
        twitter=SimpleNamespace(refused_retry=900.0),
        supervisor=SimpleNamespace(overlap_timeout=30.0, refresh_min_interval=10.0),
    ),
)
GROUP = GroupId.parse("track:0")


class World:
    """One connection with one worker that may say anything."""

    def __init__(self) -> None:
        self.born_at = time.monotonic() - 1_000
        self.key = make_key("k")
        self.pool = make_pool(self.key)
        self.context = Context(
            settings=SETTINGS,
            pool=self.pool,
            pacer=cast(Any, None),
            store=cast(Any, None),
            run_clock=RunClock(self.born_at),
            fleet=cast(Any, None),
            leftovers=cast(Any, None),
            rng=random.Random(0),
            stops=cast(Any, ()),
        )
        rng = self.context.rng
        limits = RestartLimits(1.0, 60.0, 60.0)
        self.gaps = GapTracker("track:0", instant(self.born_at))
        self.gaps.planned(GapCause.START, instant(self.born_at))
        self.connection = Connection(
            "track:0", GROUP, 1, *(CrashBackoff(limits, rng) for _ in range(2)), self.gaps
        )
        settings = cast(WorkerSettings, SimpleNamespace(outbox=SimpleNamespace(state_dir=Path("/nowhere"))))
        birth = Birth("track:0", 1, GROUP, (), settings)
        self.generation = Generation(birth, Spec("", "", 0), self.born_at, pid=1)
        self.connection.serving = self.generation
        self.context.connections["track:0"] = self.connection
        self.outcomes = Outcomes(self.context, lambda _name: None)

    def permit(self) -> None:
        """As the reconcile step does when it is asked."""
        if self.generation.asks_to_connect():
            lease = self.pool.lend_slot(self.key.key_id, "track:0", time.monotonic())
            if lease is not None:
                self.connection.lease = lease
                self.generation.permitted(connect_message(self.key), key_spec(self.key), lease)
                self.pool.records.spend(self.key.key_id, time.monotonic())


TIMES = frozenset({"at", "last_byte_at", "activity_since", "safe_until"})
NEAR_TIMES = st.one_of(st.floats(-1_100, 10), ANY_FLOAT)


def shifted(message: FromWorker, now: float) -> FromWorker:
    """The message with its times counted from now."""
    plain = {
        name: now + value if name in TIMES and value is not None else value
        for name in message.__struct_fields__
        for value in [getattr(message, name)]
    }
    return type(message)(**plain)


@examples(100)
@given(said=st.lists(messages(NEAR_TIMES), max_size=6), polite=st.booleans())
def test_whatever_a_worker_says_the_master_keeps_sense(said: list[FromWorker], polite: bool) -> None:
    world = World()
    opening: list[FromWorker] = [Ready(), MayConnect(), Connected(-900.0)] if polite else []
    for message in [*opening, *said]:
        try:
            world.outcomes.on_message(world.generation, shifted(message, time.monotonic()))
        except ProtocolError as error:
            assert len(str(error)) < 300
            break
        world.permit()
    now = time.monotonic()
    check_status(world, now)
    world.generation.state = GenerationState.GONE
    world.outcomes.on_gone(world.generation, 1)
    check_status(world, now + 1)
    assert math.isfinite(world.generation.safe_until)


def check_status(world: World, now: float) -> None:
    """What is shown can be written, the timeline adds up, and no wait is endless."""
    shown = [
        of_connection(world.connection, Left(1, 2, 3), Rates(), now),
        *map(_plain_key(now), world.pool.statuses(now)),
    ]
    assert json.loads(orjson.dumps(shown), parse_constant=None)
    totals = world.gaps.totals(instant(now))
    parts = [totals.streaming_s, totals.unplanned_s, *totals.gaps_s.values()]
    assert all(0 <= part < 2_000 for part in parts)
    for key in world.pool.statuses(now):
        assert key.not_before is None or key.not_before <= now + LONGEST_ASKED_S * 1.3


def _plain_key(now: float) -> Any:
    return lambda key: of_key(key, now)


@examples(150)
@given(
    status=st.sampled_from([200, 401, 420, 429, 503, -1, 10**18]),
    headers=st.dictionaries(
        st.sampled_from(["date", "retry-after", "x-rate-limit-reset"]), HEADER_TEXTS, min_size=1
    ),
)
def test_whatever_a_server_asks_for_the_wait_is_short_enough(status: int, headers: dict[str, str]) -> None:
    failure = Failure.of_answer(status, headers, 1_790_000_000.0)
    assert failure.asked_s is None or 0 < failure.asked_s <= LONGEST_ASKED_S
