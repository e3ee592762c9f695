"""The past of an account on the makers' own servers: every post since a moment once, over pages and restarts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.bluesky import BlueskyConnector
from social.domain.post import FetchedPost
from tests.real.bluesky_network import Account, ask, wait_until
from tests.real.conftest import Opener


@pytest.fixture
def connector(brand: Account, open_for: Opener) -> BlueskyConnector:
    return open_for(brand, page_size=10)


def whole(connector: BlueskyConnector, since: datetime) -> list[FetchedPost]:
    posts: list[FetchedPost] = []
    cursor: Any = None
    for _ in range(60):
        page = connector.history(since, cursor)
        assert not page.quarantined
        posts += page.posts
        if not page.more:
            return posts
        cursor = json.loads(json.dumps(page.cursor))
    raise AssertionError("still more after 60 pages")


def test_it_reads_back_to_a_moment_each_post_once(
    connector: BlueskyConnector, brand: Account, customer: Account
) -> None:
    before = ask(customer, brand)
    wait_until(
        "the first mention",
        lambda: [
            post for post in whole(connector, datetime(2020, 1, 1, tzinfo=UTC)) if post.native_id == before["uri"]
        ],
    )
    (old,) = [post for post in whole(connector, datetime(2020, 1, 1, tzinfo=UTC)) if post.native_id == before["uri"]]
    asked = {ask(customer, brand)["uri"] for _ in range(25)}

    def all_there() -> list[FetchedPost] | None:
        found = whole(connector, datetime(2020, 1, 1, tzinfo=UTC))
        return found if asked <= {post.native_id for post in found} else None

    found = wait_until("25 mentions", all_there)
    ids = [post.native_id for post in found]
    assert len(ids) == len(set(ids))
    since = min(post.created_at for post in found if post.native_id in asked)
    assert since > old.created_at
    assert {post.native_id for post in whole(connector, since) if not post.ours} == asked
