"""The one request of a stream, and the session that makes no other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from traptor.worker.stream.opening import Opening, OpeningAdapter


@dataclass(frozen=True)
class Request:
    """The one request of a stream."""

    method: str
    path: str
    auth: requests.auth.AuthBase = field(repr=False)
    params: tuple[tuple[str, str], ...] = ()
    form: Mapping[str, str] | None = field(default=None, repr=False)


class OneRequestSession(requests.Session):
    """Refuses a second request: a permission is for one connect, whatever tweepy's loop does."""

    def __init__(self, opening: Opening, source_address: str | None) -> None:
        super().__init__()
        self._is_used = False
        self.headers["Accept-Encoding"] = "gzip"
        for scheme in ("http://", "https://"):
            self.mount(scheme, OpeningAdapter(opening, source_address))

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Do as requests does, once."""
        if self._is_used:
            raise RuntimeError("a second connect without permission")
        self._is_used = True
        kwargs["allow_redirects"] = False  # another request, and another place for the credentials
        return super().request(*args, **kwargs)

    def resolve_redirects(self, *_args: Any, **_kwargs: Any) -> Iterator[Any]:
        """Follow none: to see where one leads, requests reads a whole body, and fails on missing URLs."""
        return iter(())
