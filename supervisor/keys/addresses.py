"""Check the keys' source addresses: whether this host has them, or has them again."""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket

from traptor.common.logs.event import fields
from traptor.supervisor.keys.ring import KeyRing

log = logging.getLogger(__name__)


def is_on_this_host(address: str) -> bool:
    """Tell whether connections can use `address`, by binding a socket to it."""
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
    return True


def look_at_addresses(ring: KeyRing) -> None:
    """Tell the key ring which addresses are present now, and log the changes."""
    gone, back = ring.look_at_addresses(is_on_this_host)
    if gone:
        say_unusable(gone)
    if back:
        log.info("source address is on this host again", extra=fields(keys=",".join(back)))


def say_unusable(names: tuple[str, ...]) -> None:
    """Log that these keys are not used."""
    log.warning("source address is not on this host, the key is not used", extra=fields(keys=",".join(names)))
