"""What is made of X's answers to questions."""

from __future__ import annotations

from contextlib import closing

import pytest
from support.keypools import make_key
from support.rawserver import RawServer

from traptor.rulekit.lookups.accounts import by_names
from traptor.rulekit.lookups.asker import Asker
from traptor.rulekit.lookups.question import XRefused


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"data":%b}' % (b"[" * 10**5)])
def test_an_answer_that_cannot_be_read_does_not_mean_that_there_is_no_account(body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    with (
        closing(RawServer(lambda _request: [head + body])) as server,
        Asker(make_key("a", bearer_token="t0ken"), server.url) as asker,
        pytest.raises(XRefused, match="X answered 200: its answer cannot be read; nothing was changed"),
    ):
        by_names(asker, ["bo"], lambda _done, _all: None)
