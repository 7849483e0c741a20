"""A service manager's end of the notify socket, for tests."""

from __future__ import annotations

import socket


class Manager:
    """Listens as systemd does."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        self._sock.setblocking(False)
        self.all: list[str] = []

    def heard(self) -> list[str]:
        """The messages since the last call."""
        messages = []
        while True:
            try:
                messages.append(self._sock.recv(4096).decode())
            except BlockingIOError:
                self.all += messages
                return messages

    def has_heard(self, *texts: str) -> bool:
        """Whether messages came that begin so, in this order."""
        self.heard()
        rest = iter(self.all)
        return all(any(message.startswith(text) for message in rest) for text in texts)

    def close(self) -> None:
        self._sock.close()
