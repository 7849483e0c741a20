"""Values by key in memory, and which of them are not on disk yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Notes(Generic[K, V]):
    """Holds the values; a change is news until exactly it was written."""

    def __init__(self, stored: Iterable[tuple[K, V]] = ()) -> None:
        self._values = dict(stored)
        self._news: dict[K, V] = {}

    def __iter__(self) -> Iterator[K]:
        return iter(self._values)

    def get(self, key: K) -> V | None:
        """Return the value of a key, or None."""
        return self._values.get(key)

    def values(self) -> tuple[V, ...]:
        """Return all values."""
        return tuple(self._values.values())

    def put(self, key: K, value: V) -> None:
        """Set a value, which has to be written."""
        self._values[key] = self._news[key] = value

    def drop(self, key: K) -> None:
        """Hold a value no more; if it is news, it is still to be written."""
        self._values.pop(key, None)

    def keep(self, is_kept: Callable[[K], bool]) -> None:
        """Hold only the values of such keys."""
        self._values = {key: value for key, value in self._values.items() if is_kept(key)}

    # ---- writing

    def news(self) -> dict[K, V]:
        """Return what is not on disk yet."""
        return dict(self._news)

    def withdraw(self, is_void: Callable[[K], bool]) -> None:
        """Have the values of such keys not written any more."""
        self._news = {key: value for key, value in self._news.items() if not is_void(key)}

    def written(self, items: Iterable[tuple[K, V]]) -> None:
        """Record that these values are on disk; what has changed again since is still news."""
        for key, value in items:
            if self._news.get(key) is value:
                del self._news[key]
