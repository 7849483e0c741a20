"""Carry a birth over the socketpair: the first frame of the master, followed by the rules in pieces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from traptor.common.birth import Birth, WorkerSettings
from traptor.common.errors import ProtocolError
from traptor.common.knowledge import Knowledge
from traptor.common.messages import HEADER, Rules, frame, payload_size
from traptor.common.pieces import BIRTH, change_to, cut
from traptor.common.rules.rule import GroupId


class BirthFrame(msgspec.Struct, frozen=True, kw_only=True):
    """All of a birth but its rules and filters; `rules` tells how many follow."""

    connection: str
    generation: int
    group: str | None
    settings: WorkerSettings
    output: bytes  # of the settings: it may name a folder, which need not be text
    drains: bool
    pair: str | None
    rules: int

    def birth(self, knowledge: Knowledge | None = None) -> Birth:
        """Return the birth, with these rules and filters. Raises ProtocolError for a group that is none."""
        knows = knowledge or Knowledge()
        try:
            group = GroupId.parse(self.group) if self.group is not None else None
        except ValueError:
            raise ProtocolError("a birth for a group that is none") from None
        return Birth(
            self.connection,
            self.generation,
            group,
            knows.rules,
            replace(self.settings, output=os.fsdecode(self.output)),
            self.drains,
            knows.meanings,
            pair=self.pair,
        )


def _plain(value: Any) -> bytes:
    assert isinstance(value, Path)
    return os.fsencode(value)


def _path(kind: type, value: Any) -> Path:
    assert kind is Path
    return Path(os.fsdecode(value))


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
_decoder = msgspec.msgpack.Decoder(BirthFrame, dec_hook=_path)


def birth_frame(birth: Birth) -> bytes:
    """Return the first frame for a worker. Raises ProtocolError when it is too large."""
    payload = birth_payload(birth)
    return HEADER.pack(payload_size(len(payload))) + payload


def birth_payload(birth: Birth) -> bytes:
    """Return all of a birth but its rules and filters."""
    return _encoder.encode(
        BirthFrame(
            connection=birth.connection,
            generation=birth.generation,
            group=str(birth.group) if birth.group is not None else None,
            settings=replace(birth.settings, output=""),
            output=os.fsencode(birth.settings.output),
            drains=birth.drains,
            pair=birth.pair,
            rules=len(birth.rules),
        )
    )


def read_birth_frame(payload: bytes) -> BirthFrame:
    """Decode the first frame. Raises ProtocolError, which quotes nothing of it."""
    try:
        return _decoder.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError, TypeError):
        raise ProtocolError("the first frame is no birth") from None


def birth_frames(birth: Birth) -> bytes:
    """Return all frames of a birth in one. Raises ProtocolError when one is too large."""
    return birth_frame(birth) + b"".join(map(frame, rules_of(birth)))


def rules_of(birth: Birth) -> Iterator[Rules]:
    """Yield the messages with the rules and filters of a birth, in order."""
    return cut(BIRTH, change_to(Knowledge.of(birth.rules, birth.filters), Knowledge()))
