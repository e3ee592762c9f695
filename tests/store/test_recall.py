"""What a decision looks at, where a network gives every edit of a post an id of its own and answers may name any of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from social.domain.decision import PostFacts
from social.domain.post import FetchedPost, PostKind
from social.store import posts, recall
from social.store.mapping import Profile
from social.store.session import Database
from tests.cast import PIOTR, SHOP, at
from tests.factories import post, profile, remembered
from tests.store.test_plans import reads_too_much, written_down

NOW = at("2026-11-20 10:00")


def versions(first: FetchedPost, *ids: str) -> FetchedPost:
    native = {"id": ids[-1], "versions": [first.native_id, *ids]}
    edited_at = first.created_at + timedelta(minutes=len(ids))
    return replace(first, text=f"{first.text} {ids[-1]}", revision=ids[-1], edited_at=edited_at, native=native)


def by_hand(to: FetchedPost, *, minutes: float = 20, **more: Any) -> FetchedPost:
    values: dict[str, Any] = {"native_id": "own-1", "in_reply_to": to.native_id, "thread_root": to.thread_root, **more}
    return post(
        "Już sprawdzam!",
        when=NOW + timedelta(minutes=minutes),
        by=SHOP,
        **{"ours": True, "kind": PostKind.OWN, **values},
    )


def facts(database: Database, row_id: int) -> PostFacts:
    with database.read() as session:
        (found,) = recall.recall(session, [row_id], now=NOW + timedelta(hours=1))
    return found.post


def take_in(database: Database, shop: Profile, *found: FetchedPost) -> None:
    with database.write() as session:
        posts.remember(session, shop, found, now=NOW)


@pytest.mark.parametrize("named", ["asked-1", "v2", "v3"])
def test_an_answer_to_any_version_of_a_post_answers_it(store_database: Database, named: str) -> None:
    shop = profile(store_database)
    asked = versions(post(when=NOW, native_id="asked-1"), "v2", "v3")
    row_id = remembered(store_database, shop, asked)
    take_in(store_database, shop, by_hand(asked, in_reply_to=named))
    assert facts(store_database, row_id).answered


def test_what_was_edited_after_the_answer_is_not_answered(store_database: Database) -> None:
    shop = profile(store_database)
    asked = post(when=NOW, native_id="asked-1")
    row_id = remembered(store_database, shop, versions(asked, "v2"))
    take_in(store_database, shop, by_hand(asked, in_reply_to="v2"))
    late = replace(versions(asked, "v2", "v3"), edited_at=NOW + timedelta(minutes=30))
    take_in(store_database, shop, late)
    assert not facts(store_database, row_id).answered


def test_an_answer_in_parts_is_followed_past_an_edited_part(store_database: Database) -> None:
    shop = profile(store_database)
    asked = versions(post(when=NOW, native_id="asked-1"), "v2")
    row_id = remembered(store_database, shop, asked)
    first = versions(by_hand(asked, minutes=-10, in_reply_to="v2"), "own-1b")  # by its own clock: too early to be meant
    take_in(store_database, shop, first)
    assert not facts(store_database, row_id).answered
    take_in(store_database, shop, by_hand(asked, native_id="own-2", in_reply_to="own-1b"))
    assert facts(store_database, row_id).answered


def test_an_answer_to_a_later_edited_post_counts_for_the_earlier_one(store_database: Database) -> None:
    shop = profile(store_database)
    asked = post(when=NOW, native_id="asked-1")
    later = versions(
        post("Halo?", when=NOW + timedelta(minutes=5), native_id="later-1", thread_root=asked.thread_root), "v2"
    )
    row_id = remembered(store_database, shop, asked)
    remembered(store_database, shop, later)
    take_in(store_database, shop, by_hand(asked, in_reply_to="v2"))
    found = facts(store_database, row_id)
    assert (found.answered, found.answered_since) == (False, True)


@pytest.mark.parametrize(("named", "elsewhere"), [("asked-1", True), ("v2", True), ("v9", False)])
def test_a_word_to_another_customer_is_known_by_any_version_of_their_post(
    store_database: Database, named: str, elsewhere: bool
) -> None:
    shop = profile(store_database)
    asked = versions(post(when=NOW, native_id="asked-1"), "v2", "v3")
    remembered(store_database, shop, asked)
    # the same number in another thread is another post
    remembered(store_database, shop, versions(post(when=NOW, by=SHOP, ours=True, native_id="other"), "v2"))
    word = post("Mam to samo", when=NOW, by=PIOTR, thread_root=asked.thread_root, in_reply_to=named)
    row_id = remembered(store_database, shop, word)
    assert facts(store_database, row_id).to_another_customer is elsewhere


def test_a_version_is_found_by_an_index(database: Database) -> None:
    shop = profile(database)
    asked = versions(post(when=NOW, native_id="asked-1"), "v2")
    remembered(database, shop, asked)
    word = post("Mam to samo", when=NOW, by=PIOTR, thread_root=asked.thread_root, in_reply_to="v2")
    row_id = remembered(database, shop, word)
    with written_down(database) as statements:
        assert facts(database, row_id).to_another_customer
    assert any("edited_at IS NOT NULL" in statement for statement in statements)
    assert not [step for told in statements.items() for step in reads_too_much(database, *told)]
