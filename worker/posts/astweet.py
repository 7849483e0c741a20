"""Posts in the form that matching takes: as the v1.1 tweets that they would have been.

Referenced posts that are not in the line are left out; of a reposted one at least the author is known, whom
the repost mentions first.
"""

from __future__ import annotations

from traptor.worker.posts.post import Post, PostLine, XEntities, XLink
from traptor.worker.tweets.tweet import Entities, Mention, Place, Polygon, Tag, Tweet, UrlEntity, User


def tweet_of(line: PostLine) -> Tweet:
    """Return the line's post with whatever of its reposted and quoted posts is known."""
    post = line.post
    reposted = _reposted(line, post)
    if reposted is None:
        return _tweet(post, line, quoted_status=_quoted(line, post))
    if reposted.text is not None:  # a repost's own text is the beginning of the reposted one's
        post = Post(id=post.id, author_id=post.author_id, in_reply_to_user_id=post.in_reply_to_user_id)
    inner = _tweet(reposted, line, quoted_status=_quoted(line, reposted))
    return _tweet(post, line, retweeted_status=inner, truncated=True)


def _reposted(line: PostLine, post: Post) -> Post | None:
    post_id = post.referenced("retweeted")
    if post_id is None:
        return None
    mentions = post.entities.mentions if post.entities is not None else None
    return line.included_post(post_id) or Post(id=post_id, author_id=mentions[0].id if mentions else None)


def _quoted(line: PostLine, post: Post) -> Tweet | None:
    quoted = line.included_post(post.referenced("quoted"))
    return None if quoted is None else _tweet(quoted, line)


def _tweet(
    post: Post,
    line: PostLine,
    *,
    retweeted_status: Tweet | None = None,
    quoted_status: Tweet | None = None,
    truncated: bool = False,
) -> Tweet:
    note = post.note
    text, entities = post.text, post.entities
    if note is not None and note.text is not None:
        text, entities = note.text, note.entities or entities
    return Tweet(
        id_str=post.id,
        text=text,
        truncated=truncated,
        in_reply_to_user_id_str=post.in_reply_to_user_id,
        user=_author(post.author_id, line),
        coordinates=post.geo.coordinates if post.geo is not None else None,
        place=_place(post, line),
        retweeted_status=retweeted_status,
        quoted_status=quoted_status,
        entities=_entities(entities) if entities is not None else None,
    )


def _author(user_id: str | None, line: PostLine) -> User | None:
    if user_id is None:
        return None
    users = line.includes.users if line.includes is not None else None
    return User(user_id, next((one.username for one in users or () if one.id == user_id), None))


def _place(post: Post, line: PostLine) -> Place | None:
    if post.geo is None or post.geo.place_id is None or line.includes is None:
        return None
    for place in line.includes.places or ():
        if place.id == post.geo.place_id and place.geo is not None and len(place.geo.bbox or ()) == 4:
            west, south, east, north = place.geo.bbox or ()
            return Place(Polygon((((west, south), (east, north)),)))
    return None


def _entities(found: XEntities) -> Entities:
    return Entities(
        hashtags=tuple([Tag(one.tag) for one in found.hashtags]) if found.hashtags else None,
        symbols=tuple([Tag(one.tag) for one in found.cashtags]) if found.cashtags else None,
        user_mentions=(
            tuple([Mention(one.id, one.username) for one in found.mentions]) if found.mentions else None
        ),
        urls=tuple([link for one in found.urls for link in _links(one)]) if found.urls else None,
    )


def _links(link: XLink) -> list[UrlEntity]:
    """Return the link as X shows it, and where it leads, if that is another address."""
    links = [UrlEntity(link.expanded_url, link.display_url)]
    if link.unwound_url and link.unwound_url != link.expanded_url:
        links.append(UrlEntity(link.unwound_url))
    return links
