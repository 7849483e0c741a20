"""A page of found posts becomes lines such as the stream brings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.making_posts import post_fields

from traptor.worker.fills.deep import without_deep
from traptor.worker.fills.page import read_page
from traptor.worker.posts.head import PostHead
from traptor.worker.posts.postline import read_line


def page(*posts: dict[str, Any], token: str | None = None, **includes: Any) -> bytes:
    meta = {"result_count": len(posts)} | ({"next_token": token} if token else {})
    whole = ({"data": posts} if posts else {}) | ({"includes": includes} if includes else {}) | {"meta": meta}
    return json.dumps(whole, ensure_ascii=False).encode()


def lines(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in read_page(body).lines]


def test_each_post_is_a_line_in_x_s_own_words() -> None:
    posts = [post_fields("嵐  \\ud83d", id="5"), post_fields("b", id="6", new_member={"x": [1.50]})]
    found = read_page(page(*posts, token="next"))
    assert [json.loads(line) for line in found.lines] == [{"data": one} for one in posts]
    assert all(isinstance(read_line(line), PostHead) for line in found.lines)
    assert (found.ids, found.next_token) == (("5", "6"), "next")


def test_a_token_that_no_order_could_carry_is_none() -> None:
    assert read_page(page(token="t" * 4096)).next_token == "t" * 4096
    with pytest.raises(ValueError, match="too long"):
        read_page(page(token="t" * 4097))


def test_a_page_without_posts_has_no_lines_and_none_follows() -> None:
    found = read_page(page())
    assert (found.lines, found.next_token, found.included_users) == ((), "", 0)


def test_a_post_gets_the_objects_that_it_or_what_it_refers_to_names() -> None:
    quoted = post_fields("q", id="9", author_id="7", attachments={"media_keys": ["3_2"]})
    quote = post_fields(
        "y", id="5", referenced_tweets=[{"type": "quoted", "id": "9"}], geo={"place_id": "aa"},
        entities={"mentions": [{"start": 0, "end": 3, "username": "bo", "id": "8"}]},
    )  # fmt: skip
    plain = post_fields("z", id="6", author_id="43")
    users = [{"id": one, "username": f"u{one}"} for one in ("42", "7", "8", "43")]
    media = [{"media_key": "3_1", "type": "photo"}, {"media_key": "3_2", "type": "photo"}]
    places = [{"id": "aa"}, {"id": "bb"}]
    body = page(quote, plain, users=users, tweets=[quoted], media=media, places=places)
    first, second = lines(body)
    assert first["includes"]["tweets"] == [quoted]
    assert [one["id"] for one in first["includes"]["users"]] == ["42", "7", "8"]
    assert [one["media_key"] for one in first["includes"]["media"]] == ["3_2"]
    assert [one["id"] for one in first["includes"]["places"]] == ["aa"]
    assert second == {"data": plain, "includes": {"users": [users[3]]}}
    found = read_page(body)
    assert (found.included_posts, found.included_users) == (("9",), 4)


def test_x_s_new_names_are_read_too() -> None:
    quoted = post_fields("q", id="9")
    quote = post_fields("y", id="5", referenced_posts=[{"type": "quoted", "id": "9"}])
    [line] = lines(page(quote, posts=[quoted]))
    assert line["includes"]["posts"] == [quoted]


DEEP = b"[" * 5_000 + b"]" * 5_000


@pytest.mark.parametrize(
    "odd",
    [
        b'{"id":"7","text":"x","odd":%b}' % DEEP,
        b'{"id":"7","referenced_tweets":%b}' % DEEP,
        b'{"id":"7","text":"\\"]}","odd":%b}' % DEEP,
        b'{"id":7,"text":"x"}',
        b'{"id":"7","author_id":7,"geo":3}',
        b"null",
        b"3",
        DEEP,
    ],
    ids=["deep", "deep references", "brackets in a text", "no id", "odd members", "null", "number", "list"],
)
def test_a_post_that_cannot_be_read_leaves_the_others_on_its_page(odd: bytes) -> None:
    first, last = post_fields("a ]}\\", id="5"), post_fields("b", id="6", author_id="42")
    users = [{"id": "42", "username": "bo"}]
    body = page(first, {"id": "odd"}, last, users=users).replace(b'{"id": "odd"}', odd)
    found = read_page(body)
    heads = [read_line(line) for line in found.lines]
    assert json.loads(found.lines[0])["data"] == first
    assert json.loads(found.lines[2]) == {"data": last, "includes": {"users": users}}
    assert [isinstance(head, PostHead) for head in (heads[0], heads[2])] == [True, True]
    assert (found.ids[0], found.ids[2], len(found.ids)) == ("5", "6", 3)


@pytest.mark.parametrize("odd", [b'{"id":"9","odd":%b}' % DEEP, b'{"id":9}', b"null"])
@pytest.mark.parametrize("kind", ["tweets", "users", "places", "media"])
def test_an_object_of_the_includes_that_cannot_be_read_costs_no_post(kind: str, odd: bytes) -> None:
    post = post_fields("a", id="5", author_id="42", referenced_tweets=[{"type": "quoted", "id": "9"}])
    user = {"id": "42", "username": "bo"}
    others = {kind: [{"id": "odd"}]} | (
        {"users": [{"id": "odd"}, user]} if kind == "users" else {"users": [user]}
    )
    found = read_page(page(post, **others).replace(b'{"id": "odd"}', odd))
    assert found.ids == ("5",)
    assert json.loads(found.lines[0])["includes"]["users"] == [user]


@given(
    st.recursive(st.none() | st.text() | st.booleans(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_what_is_not_deep_stays_as_it_is(whole: Any) -> None:
    body = json.dumps({"data": [whole], "meta": whole}).encode()
    assert without_deep(body) == body


@pytest.mark.parametrize("end", [b"", b"\\"])
def test_a_text_without_an_end_is_looked_through_once(end: bytes) -> None:
    """Else each quote in it would begin another, and a long one would keep the worker busy for hours."""
    body = b'[{"a":"' + b'\\"' * 10 + DEEP + b"}]" + end
    assert without_deep(body) == body


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"data":{}}', b'{"data":[1]}', b'{"meta":3}', b"\xff", b"[" * 10**5]
)
def test_what_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="no page of posts"):
        read_page(body)


def test_a_page_that_leads_to_itself_is_refused() -> None:
    assert read_page(page(token="two"), "one").next_token == "two"
    with pytest.raises(ValueError, match="leads to itself"):
        read_page(page(token="two"), "two")


@given(st.binary(max_size=60))
def test_any_bytes_are_a_page_or_refused(body: bytes) -> None:
    try:
        read_page(body)
    except ValueError as error:
        assert "no page of posts" in str(error)
