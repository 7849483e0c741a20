"""Learn from the master what to serve: the first that a worker does, before anything else of it runs."""

from __future__ import annotations

import os
import socket
from dataclasses import replace

from traptor.common.birth import Birth
from traptor.common.birthframe import read_birth_frame
from traptor.common.errors import ExitCode, ProtocolError
from traptor.common.knowledge import Knowledge
from traptor.common.messages import Rules, from_master
from traptor.common.pieces import BIRTH, Joint
from traptor.worker.hearing.frames import read_payload

# A master that takes longer for it hangs; whatever it wanted then, it wants to have forked anew.
_PIECE_S = 60.0


class Newborn:
    """Reads a birth: first all of it but the rules, then these."""

    def __init__(self, sock: socket.socket) -> None:
        """Wait for the first frame. Raises ProtocolError, and TimeoutError."""
        self._sock = sock
        sock.settimeout(_PIECE_S)
        frame = read_birth_frame(self._payload())
        self.rules = frame.rules
        self.begun: Birth = frame.birth()

    def learn(self) -> Birth:
        """Wait for the rules, and return the whole birth. Raises ProtocolError, and TimeoutError."""
        joint = Joint(BIRTH)
        change = None
        while change is None:
            piece = from_master(self._payload())
            if not isinstance(piece, Rules):
                raise ProtocolError("an order before the rules")
            change = joint.take(piece)
        self._sock.settimeout(None)
        knows = change.after(Knowledge())
        return replace(self.begun, rules=knows.rules, filters=knows.meanings)

    def _payload(self) -> bytes:
        try:
            return read_payload(self._sock)
        except (EOFError, ConnectionError):
            os._exit(ExitCode.FAILURE)  # without a master there is nothing to do
