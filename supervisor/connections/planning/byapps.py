"""Plan for v2: each key is an app whose connection carries all groups that the app serves.

An app that may have two connections (Enterprise) has both: either brings all that the other does.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain

from traptor.common.config.keys.key import ApiKey
from traptor.supervisor.apps.configured import wording
from traptor.supervisor.connections.connection import Connection, WantedGeneration
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.planning.roll import Roll
from traptor.supervisor.rules.groups import Group, Groups
from traptor.supervisor.workers.leftovers import app_connections, is_second
from traptor.supervisor.workers.spec import Spec

_ANY_RULES = "any"  # of a spec: rules change under the stream, and need no other generation
_ONE_OF_TWO = "any, beside another connection"


class AppPlanner:
    """Keeps the connections of the apps, and decides what each of them should carry."""

    def __init__(self, context: Context, groups: Groups, roll: Roll) -> None:
        self._context = context
        self._groups = groups
        self.roll = roll
        self._made_for: dict[str, object] = {}  # what each connection's plan followed from

    def invalidate(self) -> None:
        """Plan everything afresh next time: settings changed."""
        self._made_for.clear()

    def plan(self, now: float) -> None:
        """Set what each connection should carry."""
        self._groups.drop_unserved()
        keys = {name: key for key in self._context.settings.keys for name in _connections_of(key)}
        for c in self._context.connections.values():
            if c.name not in keys:
                c.wanted = c.other = None
                self._made_for.pop(c.name, None)
        for name, key in keys.items():
            self._plan_app(name, key, now)
        for key in self._context.settings.keys:
            self._pair_up([self._context.connections[name] for name in _connections_of(key)])
        self._forget_empty_groups()

    def plan_around(self, names: Collection[str], now: float) -> set[str]:
        """Plan everything: there are few apps, and what did not change costs nothing."""
        before = {c.name: c.wanted for c in self._context.connections.values()}
        self.plan(now)
        return {c.name for c in self._context.connections.values() if c.wanted is not before.get(c.name)}

    # ---- one app

    def _plan_app(self, name: str, key: ApiKey, now: float) -> None:
        c = self.roll.connection(name, now)
        assert c is not None
        c.app = key.key_id
        groups = [group for group in self._groups.all() if key.groups is None or key.groups.serves(group.id)]
        is_known = self._groups.are_known
        prints = tuple((group.id, group.snapshot.fingerprint) for group in groups)
        is_alone = key.max_connections == 1
        made_for = (key.key_id, is_known, c.orders, is_alone, prints)
        if c.wanted is not None and self._made_for.get(name) == made_for:
            return
        self._made_for[name] = made_for
        settings = self._context.worker_settings
        rules = tuple(chain.from_iterable(group.snapshot.rules for group in groups))
        if is_known and not is_second(name):  # before that, an app would find that it needs no filters
            said = [(group.snapshot, wording(self._context.settings, group.id)) for group in groups]
            self._context.apps.serve(key.key_id, said)
        of_rules = _ANY_RULES if is_alone else _ONE_OF_TWO
        c.wanted = WantedGeneration(rules, settings, Spec(of_rules, settings.fingerprint, 0, c.orders))

    def _pair_up(self, connections: list[Connection]) -> None:
        one, *others = connections
        one.other = others[0] if others else None
        for other in others:
            other.other = one

    def _forget_empty_groups(self) -> None:
        for group in self._groups.all():
            if _is_empty(group) and group.id not in self._groups.filter.named:
                self._groups.forget(group.id)


def _connections_of(key: ApiKey) -> list[str]:
    return app_connections(key.name, key.max_connections)


def _is_empty(group: Group) -> bool:
    snapshot = group.snapshot
    return not (group.rules or snapshot.rejected or snapshot.inactive)
