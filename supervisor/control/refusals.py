"""Answer requests that fail, as problem details (RFC 9457): each with its status and a sentence."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

import orjson
from aiohttp import web

from traptor.common.errors import ConfigError, TraptorError
from traptor.supervisor.ledger.answers.answer import UnknownError
from traptor.supervisor.ledger.answers.question import BadQuestionError
from traptor.supervisor.orders.refused import NotNowError, UnknownNameError

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CONTENT_TYPE = "application/problem+json"
DESCRIPTION_PATH = "/api/openapi.yaml"

MOST_BODY_BYTES = 1 << 20
"""Of a request."""


class Refused(Exception):
    """The request is not carried out: the message says why, and `errors` lists several reasons."""

    def __init__(self, status: int, detail: str, errors: Sequence[str] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.errors = tuple(errors)


def details(status: int, detail: str, errors: Sequence[str] = ()) -> bytes:
    """Return the body of a refusal."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return orjson.dumps({**content, "errors": list(errors)} if errors else content)


def refusal(status: int, detail: str, errors: Sequence[str] = ()) -> web.Response:
    """Return the response for a refusal."""
    response = web.Response(status=status, body=details(status, detail, errors), content_type=CONTENT_TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="traptor"'
    return response


@web.middleware
async def as_problem_details(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error of a handler into a response; no error goes further."""
    try:
        return await handler(request)
    except Refused as error:
        return refusal(error.status, str(error), error.errors)
    except BadQuestionError as error:
        return refusal(400, str(error))
    except UnknownError as error:
        return refusal(404, str(error))
    except ConfigError as error:
        return refusal(409, "the configuration cannot be used", [str(one) for one in error.problems])
    except UnknownNameError as error:
        return refusal(404, str(error))
    except NotNowError as error:
        return refusal(409, str(error))
    except TraptorError as error:
        return refusal(503, str(error))
    except web.HTTPNotFound as error:
        if request.match_info.http_exception is None:  # of a handler: what was named is not there
            return refusal(404, error.reason)
        return refusal(404, f"no such path; {DESCRIPTION_PATH} describes them all")
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        response = refusal(405, f"the methods of this path are {allowed}")
        response.headers["Allow"] = allowed
        return response
    except web.HTTPRequestEntityTooLarge:
        most = f"{MOST_BODY_BYTES >> 20} MiB"
        return refusal(413, f"the body of a request may have {most} at most; send it in several requests")
    except web.HTTPException as error:
        return refusal(error.status, error.reason)
    except ConnectionError:
        raise  # the client is gone
    except Exception:
        log.exception("a control request failed")
        return refusal(500, "internal error, see supervisor.log")
