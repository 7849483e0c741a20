"""The settings of one sandbox."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from traptor.sandbox.archive import KEEP
from traptor.sandbox.faults.soakplan import SoakPlan
from traptor.sandbox.v1.filters import Limits
from traptor.sandbox.wire.encoding import Chunking
from traptor.sandbox.wire.framing import Framing


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the command's options set, with their defaults."""

    host: str = "127.0.0.1"
    port: int = 0
    rate: float = 50.0  # tweets per second
    noise: float = 0.2  # share of tweets that no rule matches
    edits: float = 0.0  # share of tweets of which a new version follows
    seed: int = 1
    keep: int = 1_000_000  # tweets in the record
    archive: int = KEEP  # tweets with their texts, for questions about the past
    connects: int = 5  # connects an account may make in connects_window_s; 0: unlimited
    connects_window_s: float = 300.0
    keep_alive_s: float = 30.0
    chunking: Chunking = Chunking.WHOLE
    framing: Framing = Framing.CHUNKED
    ca_file: Path | None = None  # also stream over TLS, and write the certificate of the authority here
    queue_messages: int = 10_000  # a connection with more unread messages is cut
    says_replaced: bool = False  # a replaced connection receives disconnect code 7 before its end
    soak: SoakPlan | None = None  # strikes from the start on
    limits: Limits = field(default_factory=Limits)
