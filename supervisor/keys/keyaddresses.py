"""The keys' source addresses: whether this host still has them, and again has them."""

from __future__ import annotations

import logging

from traptor.common.logs.event import fields
from traptor.supervisor.connections.context import Context
from traptor.supervisor.keys.addresses import is_on_this_host

log = logging.getLogger(__name__)


def look_at_addresses(context: Context) -> None:
    """Tell the pool which addresses are there now, and say what changed."""
    gone, back = context.pool.look_at_addresses(is_on_this_host)
    if gone:
        say_unusable(gone)
    if back:
        log.info("source address is on this host again", extra=fields(keys=",".join(back)))


def say_unusable(names: tuple[str, ...]) -> None:
    """These keys are not used."""
    log.error("source address is not on this host, the key is not used", extra=fields(keys=",".join(names)))
