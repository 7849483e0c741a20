"""A key's identity outlives its secrets, and nothing shows them."""

from __future__ import annotations

import hashlib
from dataclasses import FrozenInstanceError, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.config.keys.key import ApiKey

KEY = ApiKey("first", "ck", "cs", "at", "ats", "bearer", "192.0.2.7", "http://user:proxypw@proxy:3128", 2)
TEXT = st.text(max_size=8)


def test_the_key_id_is_what_its_docstring_says() -> None:
    assert KEY.key_id == hashlib.sha256(b'["ck", "at"]').hexdigest()[:8]
    bearer_only = ApiKey("b", bearer_token="bearer")
    assert bearer_only.key_id == hashlib.sha256(b'["bearer"]').hexdigest()[:8]


def test_the_key_id_stays_when_secrets_name_or_address_change() -> None:
    other = replace(
        KEY,
        name="x",
        consumer_secret="x",
        access_token_secret="x",
        bearer_token=None,
        source_address=None,
        proxy=None,
    )
    assert other.key_id == KEY.key_id
    assert replace(KEY, consumer_key="x").key_id != KEY.key_id
    assert replace(KEY, access_token="x").key_id != KEY.key_id


@given(TEXT, TEXT, TEXT, TEXT)
def test_parts_that_only_run_together_alike_are_different_keys(a: str, b: str, c: str, d: str) -> None:
    one, other = ApiKey("k", "c" + a, access_token=b), ApiKey("k", "c" + c, access_token=d)
    assert (one.key_id == other.key_id) is ((a, b) == (c, d))


def test_the_fingerprint_changes_with_every_credential_and_with_nothing_else() -> None:
    for name in ("consumer_key", "consumer_secret", "access_token", "access_token_secret", "bearer_token"):
        assert replace(KEY, **{name: "x"}).secrets_fingerprint != KEY.secrets_fingerprint, name
    for name, value in (("name", "x"), ("source_address", None), ("proxy", None), ("max_connections", 1)):
        assert replace(KEY, **{name: value}).secrets_fingerprint == KEY.secrets_fingerprint, name  # type: ignore[arg-type]
    assert len(KEY.secrets_fingerprint) == 16


def test_nothing_secret_is_shown() -> None:
    shown = repr(KEY) + str(KEY)
    for secret in KEY.secrets:
        assert f"'{secret}'" not in shown
        assert f":{secret}@" not in shown


def test_every_secret_is_known_to_who_masks_logs() -> None:
    assert set(KEY.secrets) == {"ck", "cs", "at", "ats", "bearer", "proxypw"}
    assert ApiKey("empty").secrets == ()


def test_a_key_cannot_be_changed() -> None:
    for field in fields(KEY):
        with pytest.raises(FrozenInstanceError):
            setattr(KEY, field.name, None)
