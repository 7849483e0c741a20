"""Known secrets do not get through, in whatever form a log line may hold them."""

import json
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

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


def test_of_two_secrets_the_longer_is_hidden_whole() -> None:
    assert SecretMask(["abcd", "abcdefgh"]).hide("key abcdefgh!") == "key ***!"


def test_a_secret_learnt_later_is_hidden_too_and_none_is_forgotten() -> None:
    mask = SecretMask(["first-secret"])
    mask.know(["second-secret"])
    assert mask.hide("first-secret second-secret") == "*** ***"


def test_a_mask_shows_its_secrets_to_nobody() -> None:
    assert "first-secret" not in repr(SecretMask(["first-secret"]))


def test_words_too_short_to_be_secrets_are_left_alone() -> None:
    assert SecretMask(["", "a", "abc"]).hide("abcabc") == "abcabc"
