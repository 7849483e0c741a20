"""The users of packed filters that are found in a post."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st
from support.making_posts import head_of, post_fields, post_line, repost_of

from traptor.common.filters import FollowScope
from traptor.worker.filters.attribution import RuleSource
from traptor.worker.filters.followed import FollowedUser, FollowedUsers, FollowFilter

USERS = ["7", "8", "9"]
ANYBODY = st.sampled_from([*USERS, "1"])
SCOPES = st.sampled_from(FollowScope)


def follow_filter(filter_id: str, scopes: Mapping[str, FollowScope]) -> FollowFilter:
    return FollowFilter(
        tuple(
            FollowedUser(RuleSource.MATCHED, (int(user),), None, user, filter_id, scope)
            for user, scope in scopes.items()
        )
    )


@given(
    st.lists(st.dictionaries(st.sampled_from(USERS), SCOPES, max_size=3), min_size=1, max_size=3),
    ANYBODY,
    st.none() | ANYBODY,
    st.none() | ANYBODY,
)
def test_the_sole_user_of_a_post_is_the_only_one_of_the_filter_that_is_found_in_it(
    scopes: Sequence[Mapping[str, FollowScope]], author: str, answered: str | None, reposted: str | None
) -> None:
    filters = {str(number): follow_filter(str(number), one) for number, one in enumerate(scopes)}
    followed = FollowedUsers(filters.values())
    members = {"author_id": author, "in_reply_to_user_id": answered}
    fields = (
        post_fields(**members)
        if reposted is None
        else repost_of(post_fields(author_id=reposted, id="19"), **members)
    )
    head = head_of(post_line(fields, "1"))
    for filter_id, one in filters.items():
        found = one.found(head)
        assert found == [user for user in one.users if user in found], "in the filter's order"
        assert followed.sole(head, filter_id) is (found[0] if len(found) == 1 else None)
    assert followed.sole(head, "of somebody else") is None
    assert followed.sole(head, None) is None
