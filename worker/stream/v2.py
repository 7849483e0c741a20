"""The stream of API v2: the posts that an app's filters find.

Facts about the endpoint: X, "Filtered stream" and "Handling disconnections".
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import requests

from traptor.common.messages import Disconnected
from traptor.common.problem import problems_in
from traptor.common.rules.rule import Rule
from traptor.common.text import cut, printable
from traptor.worker.stream.http import HttpStream
from traptor.worker.stream.request import Request

STREAM_PATH = "/2/tweets/search/stream"
_TEXT_BYTES = 16_384
_DETAIL_CHARS = 200


class V2Stream(HttpStream):
    """Opens the filtered stream with the bearer token of an app; the filters stand at X."""

    def request(self, rules: Sequence[Rule]) -> Request:
        """Return the request, which is the same for all rules."""
        minutes, query = self.order.backfill_minutes, self.settings.stream_query
        if minutes:
            query = (*query, ("backfill_minutes", str(minutes)))
        return Request("GET", STREAM_PATH, BearerAuth(self.order.bearer_token), query)

    def refusal(self, ended: Disconnected) -> Disconnected:
        """Pass it on and return it with the problem that it names: a 429 alone can mean three things."""
        problem, detail = _read(self.start_of_text(_TEXT_BYTES) or b"")
        ended = msgspec.structs.replace(ended, problem=problem, detail=detail)
        self.on_refused(ended)
        return ended


def _read(text: bytes) -> tuple[str, str]:
    """Return the problem in one word, and X's explanation; without a document, the start of the text."""
    named = [problem for problem in problems_in(text) if problem.kind]
    if named:
        return named[0].kind, named[0].reason
    plain = " ".join(text[: 4 * _DETAIL_CHARS].decode(errors="replace").split())
    return "", cut(printable(plain), _DETAIL_CHARS)


class BearerAuth(requests.auth.AuthBase):
    """Adds the token last: requests would let a .netrc file replace a header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return the request with the token."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
