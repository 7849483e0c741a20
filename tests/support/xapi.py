"""Requests and answers of the X API v2, checked against the description in tests/data."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import orjson
import requests
from openapi_core import Config, OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse

from support.paths import ROOT

DESCRIPTION = ROOT / "tests" / "data" / "xapi-v2.yaml"


@cache
def description() -> OpenAPI:
    """Return the description, read once."""
    readers: dict[str, Callable[[bytes], Any]] = {"application/problem+json": orjson.loads}
    return OpenAPI.from_file_path(str(DESCRIPTION), config=Config(extra_media_type_deserializers=readers))


def check_request(request: requests.PreparedRequest) -> None:
    """Raise OpenAPIError for a request that X would not take."""
    description().validate_request(RequestsOpenAPIRequest(request))


def check_answer(answer: requests.Response) -> None:
    """Raise OpenAPIError for an answer that X would not give to its request."""
    description().validate_response(RequestsOpenAPIRequest(answer.request), RequestsOpenAPIResponse(answer))
