"""POST /oauth2/token: the bearer token of an app for its consumer key and secret."""

from __future__ import annotations

from urllib.parse import parse_qsl

from aiohttp import hdrs, web

from traptor.sandbox.v2.apps.registry import Apps
from traptor.sandbox.v2.endpoints.gate import answer_json
from traptor.sandbox.v2.problems import Problem


class TokenEndpoint:
    """Gives tokens."""

    def __init__(self, apps: Apps) -> None:
        self._apps = apps

    async def give(self, request: web.Request) -> web.Response:
        """Answer with the token. Raises Problem."""
        form = dict(parse_qsl((await request.read()).decode("utf-8", "replace")))
        if form.get("grant_type") != "client_credentials":
            error = {"code": 170, "message": "Missing required parameter: grant_type"}
            raise Problem(403, {"errors": [error]})
        token = self._apps.issue(request.headers.get(hdrs.AUTHORIZATION, ""))
        return answer_json({"token_type": "bearer", "access_token": token})
