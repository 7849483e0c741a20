"""The filling of gaps on paper: one connection with a gap, its app and its worker, and a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson

from support.appworld import group_of
from support.paperapp import PaperApp
from traptor.common.config.keys.key import ApiKey
from traptor.common.config.settings import Settings, load_settings
from traptor.common.fills import FillEnd, FillMethod
from traptor.common.messages import PieceFetched
from traptor.supervisor.apps.cost.spending import Terms
from traptor.supervisor.apps.wanted.translated import Translated
from traptor.supervisor.fills.fills import Fills
from traptor.supervisor.gaps.fill import Fill
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.keys.conduct.budget import Purpose
from traptor.supervisor.keys.conduct.states import ConnectVerdict
from traptor.supervisor.ledger.fills import FillBook
from traptor.supervisor.ledger.period import Period
from traptor.supervisor.ledger.records import Entry, StoredFills
from traptor.supervisor.money.account import Account

T = 1_790_000_000.0
APP = "v2:app"
ALLOWED = ConnectVerdict(True, None, "")
WORDS = [f"word{number:03}" for number in range(120)]  # two queries


def a_worker(connection: str, generation: int) -> Any:
    birth = SimpleNamespace(connection=connection, generation=generation)
    name = f"{connection}#{generation}"
    return SimpleNamespace(birth=birth, name=name, streams=True, streaming_since=0.0)


class PaperFacts(dict[tuple[str, str], bytes]):
    """What state_dir keeps of apps."""

    def save_app(self, key_id: str, what: str, dump: dict[str, Any]) -> None:
        self[key_id, what] = orjson.dumps(dump)

    def load_app(self, key_id: str, what: str) -> Any:
        return orjson.loads(self[key_id, what]) if (key_id, what) in self else None


@dataclass
class FillWorld:
    """One connection with a gap of a minute that ended a minute ago, and whatever a test changes of it."""

    settings: Settings
    now: float = 120.0  # since the gap began
    stored: StoredFills = field(default_factory=StoredFills)
    groups: list[Translated] | None = field(default_factory=lambda: [group_of("track:0", *WORDS)])
    carried: frozenset[str] | None = None  # None: all rules
    method: FillMethod = FillMethod.SEARCH
    may: ConnectVerdict = ALLOWED  # to connect the key
    spent: list[float] = field(default_factory=list)  # its connects
    asked: list[Any] = field(default_factory=list)
    facts: PaperFacts = field(default_factory=PaperFacts)
    slots: list[str] = field(default_factory=list)  # what they were told
    writes: int = 0
    while_reading: Callable[[], object] = lambda: None  # happens while the ledger is read

    def __post_init__(self) -> None:
        self.begin(1)
        self.book.take(Entry(APP, "gap", "crash", T, T + 60, 60, 1))

    def begin(self, generation: int) -> None:
        """A master starts, and goes on with what the last one wrote."""
        self.book = FillBook(self.stored, lambda _gap: self.method)
        self.app = PaperApp()
        self.app.spending = SimpleNamespace(  # type: ignore[attr-defined]
            terms=Terms(), account=Account.opened(T)
        )
        self.app.filtering = SimpleNamespace(groups=self.groups)  # type: ignore[attr-defined]
        self.app.settings = SimpleNamespace(credit_retry_s=1_800.0)  # type: ignore[attr-defined]
        self.app.key = ApiKey("app", bearer_token="secret")  # type: ignore[attr-defined]
        self.c = SimpleNamespace(name=APP, app="key-id", serving=None, streams=False, other=None)
        self.serve(generation)
        self.context = SimpleNamespace(
            settings=self.settings,
            connections={APP: self.c},
            stopping=False,
            pool=SimpleNamespace(
                may_connect=lambda _key, purpose, _now: self.may if purpose is Purpose.FILL else None,
                records=SimpleNamespace(spend=lambda _key, now: self.spent.append(now)),
            ),
            save_keys=lambda _now: None,
            store=self.facts,
            slots=SimpleNamespace(
                connecting=lambda _key: self.slots.append("connecting"),
                taken=lambda _key: self.slots.append("taken"),
            ),
            fleet=SimpleNamespace(fetch=lambda _g, piece: self.asked.append(piece)),
        )
        apps: Any = SimpleNamespace(get=lambda _key_id: self.app)
        context: Any = self.context
        self.fills = Fills(
            context, apps, self.book, self._carried, self._wrote, lambda _name: ([2.0], None), self.clock
        )

    def serve(self, generation: int) -> None:
        self.c.serving, self.c.streams = a_worker(APP, generation), True

    def lose_the_stream(self) -> None:
        self.c.serving.streams = self.c.streams = False

    def clock(self) -> Instant:
        return Instant(T + self.now, self.now)

    async def _carried(self, _name: str, period: Period) -> frozenset[str]:
        assert (period.since, period.until) == (T - 1, self.book.all()[-1].to_unix)
        self.while_reading()
        every = frozenset(rule.key for group in self.groups or () for rule in group.rules)
        return every if self.carried is None else self.carried

    def _wrote(self) -> None:
        self.writes += 1
        news = self.book.news()
        self.book.written(news)
        fills = {fill.id: fill for fill in (*self.stored.open, *news.fills)}
        costs = {(one.connection, one.day): one for one in (*self.stored.costs, *news.costs)}
        self.stored = StoredFills(
            max(fills), [one for one in fills.values() if one.is_open], [*costs.values()],
            {**self.stored.plans, **dict(news.plans)},
        )  # fmt: skip

    def turn(self) -> Any:
        """One step; the piece that it asked for, if any."""
        before = len(self.asked)
        asyncio.run(self.fills.turn(self.c, self.app))  # type: ignore[arg-type]
        return self.asked[-1] if len(self.asked) > before else None

    def answer(self, end: FillEnd = FillEnd.DONE, **members: Any) -> Fill:
        """The worker answers the last piece; the fill after that."""
        self.fills.fetched(self.c.serving, PieceFetched(number=self.asked[-1].number, end=end, **members))
        return self.book.all()[-1]

    def waits_for(self) -> str | None:
        [one] = self.fills.status()["connections"]
        return one["waits_for"]


def fill_world(folder: Path, **twitter: object) -> FillWorld:
    """The world with these options of [twitter]."""
    options = {"fill_gaps": "search", **twitter}
    method = FillMethod.RECOVERY if options["fill_gaps"] == "recovery" else FillMethod.SEARCH
    ini = folder / "traptor.ini"
    lines = "".join(f"{name} = {value}\n" for name, value in options.items())
    ini.write_text(
        f"[traptor]\napi = v2\noutput = jsonl:-\n[supervisor]\nrun_dir = {folder}\n"
        f"state_dir = {folder}\n[twitter]\n{lines}[key:app]\nbearer_token = t\n"
    )
    ini.chmod(0o600)
    return FillWorld(load_settings(ini), method=method)


MakeFillWorld = Callable[..., FillWorld]  # with options of [twitter]
