"""One request of X's full-archive search: GET /2/tweets/search/all."""

from __future__ import annotations

import requests

from traptor.common import __version__
from traptor.common.birth import WorkerSettings
from traptor.common.errors import TraptorError
from traptor.common.fills import FillEnd
from traptor.common.messages import PieceFetched, SearchPiece
from traptor.common.problem import problems_in
from traptor.common.text import cut, printable
from traptor.worker.stream.failure import NETWORK_ERRORS, short
from traptor.worker.stream.opening import Opening
from traptor.worker.stream.reply import StreamReply, back_off_headers
from traptor.worker.stream.request import OneRequestSession
from traptor.worker.stream.v2 import BearerAuth

SEARCH_PATH = "/2/tweets/search/all"
_WITHIN_S = 60.0  # for a whole answer
_MOST_BYTES = 64 << 20  # 500 posts with everything that may come along take some 5 MiB
_MOST_TEXT_BYTES = 1 << 16  # of a refusal
_DETAIL_CHARS = 200


class SearchFailed(TraptorError):
    """X gave no page; `answer` says why."""

    def __init__(self, answer: PieceFetched) -> None:
        super().__init__(answer.detail)
        self.answer = answer


def search(piece: SearchPiece, settings: WorkerSettings) -> tuple[bytes, dict[str, str]]:
    """Return the body of X's answer, and its headers that say when to ask again. Raises SearchFailed."""
    order = piece.connect
    opening = Opening(settings.connect_timeout_s)
    with OneRequestSession(opening, order.source_address) as session:
        session.trust_env = settings.proxy_of_environment and not order.proxy
        if order.proxy:
            session.proxies = {"http": order.proxy, "https": order.proxy}
        if settings.stream_ca_file is not None:
            session.verify = str(settings.stream_ca_file)
        session.headers["User-Agent"] = f"traptor/{__version__}"
        try:
            opening.begin()
            return _asked(session, opening, piece, settings)
        except NETWORK_ERRORS as error:
            detail = opening.overdue or short(error)
            raise SearchFailed(
                PieceFetched(number=piece.number, end=FillEnd.NETWORK, detail=detail)
            ) from None
        finally:
            opening.end()


def _asked(
    session: OneRequestSession, opening: Opening, piece: SearchPiece, settings: WorkerSettings
) -> tuple[bytes, dict[str, str]]:
    within_s = settings.connect_timeout_s
    with session.get(
        settings.stream_url + SEARCH_PATH,
        params=_parameters(piece, settings),
        auth=BearerAuth(piece.connect.bearer_token),
        timeout=(within_s, within_s),  # of each read; all up to the headers have as long together
        stream=True,
    ) as response:
        opening.end()
        reply = StreamReply(response, opening.body(response.raw))
        headers = back_off_headers(response.headers)
        if reply.status != requests.codes.ok:
            text = reply.start_of_text(_MOST_TEXT_BYTES) or b""
            raise SearchFailed(_refusal(piece.number, reply.status, headers, text))
        return reply.body.whole(_MOST_BYTES, _WITHIN_S), headers


def _parameters(piece: SearchPiece, settings: WorkerSettings) -> dict[str, str]:
    parameters = {
        **dict(settings.stream_query),
        "query": piece.query,
        "start_time": piece.start_time,
        "end_time": piece.end_time,
        "max_results": str(piece.max_results),
    }
    return parameters | ({"next_token": piece.token} if piece.token else {})


def _refusal(number: int, status: int, headers: dict[str, str], body: bytes) -> PieceFetched:
    named = [problem for problem in problems_in(body) if problem.kind]
    plain = cut(
        printable(" ".join(body[: 4 * _DETAIL_CHARS].decode(errors="replace").split())), _DETAIL_CHARS
    )
    return PieceFetched(
        number=number,
        end=FillEnd.HTTP,
        status=status,
        headers=headers,
        problem=named[0].kind if named else "",
        detail=named[0].reason if named else plain,
    )
