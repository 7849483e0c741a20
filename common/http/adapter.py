"""Have requests connect within a time limit, by any proxy and from any address of this host."""

from __future__ import annotations

import socket
from typing import Any, ClassVar

import requests
import socks  # type: ignore[import-untyped]  # PySocks, which requests uses, has no types

from traptor.common.http.timelimit import TimeLimit

_TCP = socket.SOCK_STREAM
_SOCKS_PORT = 1080


class LimitedConnection:
    """The addition to each class of urllib3's connections."""

    limit: TimeLimit
    host: str
    port: int
    timeout: float
    source_address: tuple[str, int] | None
    _socks_options: dict[str, Any]  # only of SOCKS connections

    def _new_conn(self) -> socket.socket:
        sock = self._by_socks() if hasattr(self, "_socks_options") else self._directly()
        sock.settimeout(self.limit.share_s(1))  # for the proxy and TLS
        return sock

    def _directly(self) -> socket.socket:
        try:
            addresses = len(socket.getaddrinfo(self.host, None, type=_TCP))
        except (OSError, UnicodeError):
            addresses = 1  # the connect will raise the error
        self.timeout = self.limit.share_s(addresses)
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]  # the class that this is added to
        try:
            self.limit.watch(sock)
        except OSError:
            sock.close()
            raise
        return sock

    def _by_socks(self) -> socket.socket:
        """Connect as urllib3 does, but watched from the first byte to the proxy. Raises OSError."""
        options = self._socks_options
        host, port = options["proxy_host"].strip("[]"), int(options["proxy_port"] or _SOCKS_PORT)
        found = socket.getaddrinfo(host, port, type=_TCP)
        for index, (family, kind, protocol, _, _) in enumerate(found, 1):
            sock = socks.socksocket(family, kind, protocol)
            try:
                self.limit.watch(sock)
                sock.settimeout(self.limit.share_s(1 + len(found) - index))
                login = options["username"], options["password"]
                sock.set_proxy(options["socks_version"], host, port, options["rdns"], *login)
                if self.source_address:
                    sock.bind(self.source_address)
                sock.connect((self.host, self.port))
            except OSError:
                sock.close()
                if index == len(found):
                    raise
            else:
                return sock  # type: ignore[no-any-return]  # PySocks has no types
        raise OSError("the proxy has no address")


class LimitedAdapter(requests.adapters.HTTPAdapter):
    """Connects within a time limit, from one address of this host if one is given."""

    connection: ClassVar[type[LimitedConnection]] = LimitedConnection

    def __init__(self, limit: TimeLimit, source_address: str | None) -> None:
        self._limit = limit
        self._source = (source_address, 0) if source_address else None
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Do as requests does, with the source address."""
        super().init_poolmanager(*args, source_address=self._source, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Do as requests does, with the source address."""
        return super().proxy_manager_for(proxy, source_address=self._source, **kwargs)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Do as requests does; its connections are watched, whatever their kind."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        kind = pool.ConnectionCls
        pool.ConnectionCls = type(kind.__name__, (self.connection, kind), {"limit": self._limit})
        return pool
