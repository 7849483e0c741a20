"""The trial's keys: which are in the key file now, and which secrets the sandbox accepts."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex

from trial.accounts import Account, write_key_file
from trial.servers import Servers


class Keyring:
    """All keys, some of which may be missing from the key file."""

    def __init__(self, accounts: list[Account], key_file: Path, servers: Servers) -> None:
        self._accounts = accounts
        self._key_file = key_file
        self._servers = servers
        self._away: set[str] = set()

    def __len__(self) -> int:
        return len(self._accounts)

    def take_away(self, first: int, count: int) -> None:
        """Remove `count` keys from the file, from `first` on; the sandbox still knows them."""
        names = [account["name"] for account in self._accounts]
        self._away = {names[(first + step) % len(names)] for step in range(count)}
        self.write()

    def bring_back(self) -> None:
        """Put all keys back into the file."""
        self._away = set()
        self.write()

    def rotate(self, number: int) -> None:
        """Give a key new secrets: at the server first, as in a real rotation."""
        new = {name: token_hex(12) for name in ("consumer_secret", "access_token_secret")}
        self._accounts[number] = {**self._accounts[number], **new}
        self._servers.sandbox.set_accounts(self._accounts)
        self.write()

    def write(self) -> None:
        """Write the key file."""
        write_key_file(self._key_file, [a for a in self._accounts if a["name"] not in self._away])
