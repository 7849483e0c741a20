"""The users of a packed filter that are found in a post."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.making_posts import head_of, post_fields, post_line, repost_of

from traptor.common.filters import FollowScope
from traptor.worker.filters.attribution import Attribution, RuleSource
from traptor.worker.filters.followed import FollowedUsers

USERS = ["7", "8", "9"]
ANYBODY = st.sampled_from([*USERS, "1"])


@given(
    st.lists(st.sampled_from(FollowScope), min_size=3, max_size=3) | st.just([]),
    ANYBODY,
    st.none() | ANYBODY,
    st.none() | ANYBODY,
)
def test_the_sole_user_of_a_post_is_the_only_one_that_is_found_in_it(
    scopes: list[FollowScope], author: str, answered: str | None, reposted: str | None
) -> None:
    given_by = {user: Attribution(RuleSource.MATCHED, (int(user),)) for user in USERS}
    followed = FollowedUsers.of(dict(given_by), tuple(scopes))
    members = {"author_id": author, "in_reply_to_user_id": answered}
    fields = (
        post_fields(**members)
        if reposted is None
        else repost_of(post_fields(author_id=reposted, id="19"), **members)
    )
    head = head_of(post_line(fields, "1"))
    found = followed.found(head)
    assert found == [one for one in given_by.values() if one in found], "in the filter's order"
    assert followed.sole(head) is (found[0] if len(found) == 1 else None)
