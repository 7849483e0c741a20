"""Find the connection of a name, or say whose name it is instead."""

from __future__ import annotations

from collections.abc import Mapping

from traptor.common.rules.rule import GroupId
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.orders.refused import UnknownNameError

_SHOWN_CHARS = 100


def connection_named(connections: Mapping[str, Connection], name: str) -> Connection:
    """Return the connection. Raises UnknownNameError, which names those of a group of this name (v2)."""
    if (found := connections.get(name)) is not None:
        return found
    if carriers := _carriers(connections, name):
        raise UnknownNameError(f"{name} is a group of {' and '.join(carriers)}; give that name")
    raise UnknownNameError(f"there is no connection {name[:_SHOWN_CHARS]!r}")


def _carriers(connections: Mapping[str, Connection], name: str) -> list[str]:
    try:
        group = GroupId.parse(name)
    except ValueError:
        return []
    return sorted(c.name for c in connections.values() if group in c.groups)
