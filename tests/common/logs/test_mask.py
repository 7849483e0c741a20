"""Known secrets do not get through, in whatever form a log line may hold them."""

import json
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.waiting import DEADLINE_S

from traptor.common.logs import mask as mask_module
from traptor.common.logs.mask import SecretMask

SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=40).filter(
    lambda text: text.strip("*") != ""
)


@given(SECRETS, st.text(max_size=20), st.text(max_size=20))
def test_a_secret_is_hidden_wherever_it_stands(secret: str, before: str, after: str) -> None:
    mask = SecretMask([secret])
    assert secret not in mask.hide(f"{before}{secret}{after}").replace("***", "\0")


@given(SECRETS)
def test_a_secret_is_hidden_in_a_url_in_json_and_in_a_repr(secret: str) -> None:
    mask = SecretMask([secret])
    for form in (quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]):
        assert mask.hide(f"<{form}>") == "<***>"


@given(st.sets(SECRETS, max_size=30), st.text(max_size=20), st.text(max_size=20), st.data())
def test_many_secrets_are_hidden_as_each_one_is(
    secrets: set[str], before: str, after: str, data: st.DataObject
) -> None:
    text = f"{before}{data.draw(st.sampled_from(['', *sorted(secrets)]))}{after}"
    hidden = text
    for form in sorted((form for secret in secrets for form in mask_module._forms(secret)), key=len)[::-1]:
        hidden = hidden.replace(form, "***")
    shown = SecretMask([*secrets, *(f"another secret {number}" for number in range(100))]).hide(text)
    assert all(secret not in shown.replace("***", "\0") for secret in secrets)
    assert (shown == text) == (hidden == text)


def test_it_costs_little_more_to_look_for_a_thousand_secrets_than_for_a_few() -> None:
    looked_at = []

    class Text(str):
        def replace(self, *_: Any) -> str:  # type: ignore[override]
            looked_at.append(1)
            return self

        def __contains__(self, _: object) -> bool:
            looked_at.append(1)
            return False

    mask = SecretMask(f"{number:04}secret" for number in range(1_000))
    assert mask.hide(Text("worker forked")) == "worker forked"
    assert not looked_at
    assert mask.hide(Text("see 0123, 0456")) == "see 0123, 0456"
    assert len(looked_at) == 2


def test_of_two_secrets_the_longer_is_hidden_whole() -> None:
    assert SecretMask(["abcd", "abcdefgh"]).hide("key abcdefgh!") == "key ***!"


def test_a_secret_learnt_later_is_hidden_too_and_none_is_forgotten() -> None:
    mask = SecretMask(["first-secret"])
    mask.know(["second-secret"])
    assert mask.hide("first-secret second-secret") == "*** ***"


def test_of_two_threads_that_learn_at_once_neither_forgets_what_the_other_learnt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mask = SecretMask(["first-secret"])
    other = Thread(target=mask.know, args=(["third-secret"],))

    def interrupted(*args: Any, **options: Any) -> list[str]:
        result = sorted(*args, **options)
        if other.ident is None:
            other.start()
            other.join(0.2)  # as far as it comes: it may have to wait for us
        return result

    monkeypatch.setattr(mask_module, "sorted", interrupted, raising=False)
    mask.know(["second-secret"])
    other.join(DEADLINE_S)
    assert mask.hide("first-secret second-secret third-secret") == "*** *** ***"


def test_a_mask_shows_its_secrets_to_nobody() -> None:
    assert "first-secret" not in repr(SecretMask(["first-secret"]))


def test_words_too_short_to_be_secrets_are_left_alone() -> None:
    assert SecretMask(["", "a", "abc"]).hide("abcabc") == "abcabc"
