"""The accounts that exist at the sandbox: every id is one, named as in its tweets unless told otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from traptor.sandbox.errors import BadInput

_MADE_UP = re.compile(r"u([1-9][0-9]{0,13})")  # the names that tweets have
_NAME = re.compile(r"[A-Za-z0-9_]{1,15}")
_ID = re.compile(r"[0-9]{1,19}")


class People:
    """Finds accounts by id and by name; tests rename accounts and let them go."""

    def __init__(self) -> None:
        self._names: dict[str, str | None] = {}  # by id, as told; None: gone

    def tell(self, order: object) -> dict[str, Any]:
        """Rename an account, `{"id": "12", "username": "ann"}`, or let it go, `{"id": "12", "gone": true}`.

        Raises BadInput.
        """
        if not isinstance(order, Mapping) or not _ID.fullmatch(str(order.get("id"))):
            raise BadInput("an object with id, and username or gone, is expected")
        user_id, name = str(order["id"]), order.get("username")
        if order.get("gone") is True:
            self._names[user_id] = None
        elif isinstance(name, str) and _NAME.fullmatch(name):
            self._names[user_id] = name
        else:
            raise BadInput("username: a name of up to 15 letters, digits and _ is expected, or gone: true")
        return {"id": user_id, "username": self._names[user_id]}

    def by_id(self, user_id: str) -> dict[str, str] | None:
        """Return the account with this id, if there is one."""
        name = self._names.get(user_id, f"u{int(user_id) % 10**14}")
        return None if name is None else {"id": user_id, "name": name.title(), "username": name}

    def by_name(self, name: str) -> dict[str, str] | None:
        """Return the account with this name, in any case, if there is one."""
        for user_id, told in self._names.items():
            if told is not None and told.lower() == name.lower():
                return self.by_id(user_id)
        made_up = _MADE_UP.fullmatch(name.lower())
        return None if made_up is None or made_up[1] in self._names else self.by_id(made_up[1])
