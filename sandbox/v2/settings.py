"""The settings of the sandbox's X API v2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from traptor.sandbox.v2.apps.contracts import Contract
from traptor.sandbox.v2.bill import Prices
from traptor.sandbox.v2.problems import ProblemHost
from traptor.sandbox.wire.encoding import Chunking
from traptor.sandbox.wire.framing import Framing


class Batches(StrEnum):
    """The treatment of a batch of new filters that contains an invalid one."""

    PART = "part"  # the valid ones are accepted
    WHOLE = "whole"  # none is accepted


@dataclass(frozen=True, slots=True)
class V2Settings:
    """Everything that the command's `--v2-...` options set, with X's values as defaults."""

    effect_s: float = 20.0  # delay until a change of filters is in effect
    connections: int = 1  # of one app at the same time
    rules: int = 1000  # filters of an app
    rule_length: int = 1024  # characters of a filter
    rate: float = 250.0  # posts per second of one stream; 0: unlimited
    batches: Batches = Batches.PART
    linger_s: float = 0.0  # how long a slot stays taken after its client has gone
    keep_alive_s: float = 20.0
    window_s: float = 900.0  # of the rate limits
    connects: int = 50  # of the stream in a window
    search_every_s: float = 1.0  # between two searches of an app
    search_lag_s: float = 10.0  # the newest posts that cannot be searched
    compliance_s: float = 5.0  # a compliance job's work after its upload
    enterprise: frozenset[str] = frozenset()  # apps with such a contract, or `all`
    problem_host: ProblemHost = ProblemHost.ANY
    prices: Prices = field(default_factory=Prices)
    bearers: Mapping[str, str] = field(default_factory=dict, repr=False)  # token by app
    # As of the v1.1 side:
    keep: int = 1_000_000
    seed: int = 1
    queue_messages: int = 10_000
    chunking: Chunking = Chunking.WHOLE
    framing: Framing = Framing.CHUNKED

    def usual_contract(self) -> Contract:
        """Return what is allowed to the other apps."""
        return Contract(self.connections, self.rules, self.rule_length)
