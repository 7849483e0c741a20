"""Which IP addresses this host has."""

from __future__ import annotations

import errno
import ipaddress
import socket


def is_on_this_host(address: str) -> bool:
    """Whether a connection can come from `address`, asked of the kernel by binding a socket to it."""
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
    return True
