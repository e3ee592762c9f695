"""The quick look at what comes in while more waits than one pass takes: the rules alone say whether it is judged before the
others. About a third of a millisecond a post, and outside of any transaction; the encoder's judgement follows in its turn
and is the one that counts."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from social.domain.assessment import TextToAssess
from social.domain.post import FetchedPost
from social.engine.claims import waiting_posts
from social.engine.desk import Desk

log = logging.getLogger("social.poll")


def priorities(desk: Desk, posts: Sequence[FetchedPost]) -> dict[str, int]:
    """Native id -> ``Urgency.band`` of customers' posts; nobody is looked at where one pass takes all that waits. A post
    that breaks the rules waits its turn as any other: the look must never stop a poll."""
    customers = [post for post in posts if not post.ours]
    if not customers or waiting_posts(desk.database, at_most=desk.batch) + len(customers) <= desk.batch:
        return {}
    texts = [TextToAssess(text=post.text, language_hint=post.language_hint) for post in customers]
    try:
        judged = desk.fallback.assess(texts)
    except Exception as error:  # noqa: BLE001 whatever it is, the posts are remembered, and judged in their turn
        # its name only: the text of a stranger's error may quote a customer
        log.error("the quick look at %d posts broke: %s", len(texts), type(error).__name__)
        return {}
    return {post.native_id: found.urgency.band for post, found in zip(customers, judged, strict=True)}
