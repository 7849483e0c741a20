"""What a server says is shown without the credentials that it may repeat."""

from __future__ import annotations

from typing import Any

import pytest

from traptor.common.messages import Connect, Disconnected, DisconnectKind
from traptor.worker.credentials import masked

SAID = "Unauthorized: unknown consumer key 0aPzR7mW by proxy 10.0.0.1"


@pytest.mark.parametrize(
    ("credentials", "shown"),
    [
        ({"consumer_secret": "0aPzR7mW"}, SAID.replace("0aPzR7mW", "***")),
        ({"proxy": "http://me:0aPzR7mW@10.0.0.1:3128"}, SAID.replace("0aPzR7mW", "***")),
        ({"access_token": "a", "access_token_secret": "d"}, SAID),
        ({"bearer_token": "key"}, SAID),
    ],
)
def test_credentials_are_hidden_and_what_is_too_short_to_be_one_is_not(
    credentials: dict[str, Any], shown: str
) -> None:
    ended = Disconnected(
        kind=DisconnectKind.HTTP, at=1.0, last_byte_at=1.0, streamed=False, status=401, detail=SAID
    )
    assert masked(ended, Connect(key_id="k", key_name="k", **credentials)).detail == shown
