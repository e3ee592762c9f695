"""The Bluesky connector against the makers' own servers: nothing here is imitated."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.bluesky import BlueskyConnector
from social.domain.errors import CredentialsExpired, RefusalReason, Refused, Uncertain, Unreachable
from social.domain.post import FetchedPost, Gone, PostKind
from social.domain.reply import SentBy
from social.ports import Connector, Permission
from tests.real.bluesky_network import Account, BlueskyNetwork, ask, replies_in, wait_until
from tests.real.conftest import KeptInMemory, Opener

ANSWER = "Dzień dobry, wiadomość dotarła. To automatyczne potwierdzenie, odpisze osoba z zespołu."


@pytest.fixture
def connector(brand: Account, open_for: Opener) -> BlueskyConnector:
    return open_for(brand, page_size=10)


def read_all(connector: Connector, cursor: Any, *, pages: int = 60) -> tuple[list[FetchedPost], Any]:
    """Poll until the connector says that there is no more; the cursor goes through JSON, as it does in the database."""
    posts: list[FetchedPost] = []
    for _ in range(pages):
        page = connector.fetch(cursor)
        assert not page.quarantined
        posts += page.posts
        cursor = json.loads(json.dumps(page.cursor))
        if not page.more:
            return posts, cursor
    raise AssertionError(f"still more after {pages} pages")


def arrived(connector: Connector, cursor: Any, uri: str) -> tuple[FetchedPost, Any]:
    """Poll until the post is there (the index lags behind the server that took it)."""

    def look() -> tuple[FetchedPost, Any] | None:
        posts, following = read_all(connector, cursor)
        return next(((post, following) for post in posts if post.native_id == uri), None)

    found: tuple[FetchedPost, Any] = wait_until(f"{uri} in the notifications", look)
    return found


# --- reading ----------------------------------------------------------------------------------------------------------


def test_it_reads_a_mention_with_its_author_language_and_address(
    connector: BlueskyConnector, brand: Account, customer: Account
) -> None:
    _, cursor = read_all(connector, None)
    asked = ask(customer, brand, langs=["pl"])
    post, _ = arrived(connector, cursor, asked["uri"])
    assert post.author.native_id == customer.did
    assert post.author.handle == customer.handle
    assert post.text == f"@{brand.handle} gdzie moja paczka?"
    assert (post.kind, post.summoned, post.ours) == (PostKind.MENTION, True, False)
    assert (post.language_hint, post.thread_root) == ("pl", asked["uri"])
    assert abs(post.created_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert post.permalink == f"https://bsky.app/profile/{customer.did}/post/{asked['uri'].split('/')[-1]}"


def test_it_tells_replies_and_quotes_of_our_posts_apart_from_mentions(
    connector: BlueskyConnector, brand: Account, customer: Account
) -> None:
    ours = brand.post("Nowa kolekcja już jest!")
    _, cursor = read_all(connector, None)
    below = customer.post("a gdzie rozmiary?", reply_to=(ours, ours))
    reply, _ = arrived(connector, cursor, below["uri"])
    quoting = customer.post("zobaczcie", quote=ours)
    quote, _ = arrived(connector, cursor, quoting["uri"])
    assert (reply.kind, reply.summoned, reply.in_reply_to, reply.thread_root) == (
        PostKind.REPLY,
        False,
        ours["uri"],
        ours["uri"],
    )
    assert (quote.kind, quote.summoned, quote.thread_root) == (PostKind.QUOTE, True, quoting["uri"])


def test_it_loses_nothing_and_repeats_nothing_over_many_pages(
    connector: BlueskyConnector, brand: Account, customer: Account
) -> None:
    _, cursor = read_all(connector, None)
    asked = [ask(customer, brand, f"sprawa numer {number}")["uri"] for number in range(27)]
    arrived(connector, cursor, asked[-1])
    posts, cursor = read_all(connector, cursor)
    assert sorted(post.native_id for post in posts) == sorted(asked)
    again, _ = read_all(connector, cursor)
    assert again == []


def test_it_loses_no_post_where_a_page_ends_between_two_of_the_same_moment(
    connector: BlueskyConnector, brand: Account, customer: Account
) -> None:
    """The server's own paging token skips the second of them."""
    _, cursor = read_all(connector, None)
    moment = datetime.now(UTC).replace(microsecond=0)
    same = [
        ask(customer, brand, f"jednocześnie {number}", created_at=(moment + timedelta(seconds=number // 4)).isoformat())
        for number in range(32)
    ]
    uris = [post["uri"] for post in same]
    arrived(connector, cursor, uris[-1])
    posts, _ = read_all(connector, cursor)
    assert sorted(post.native_id for post in posts) == sorted(uris)


def test_it_finds_a_post_whose_author_has_a_slow_clock(
    connector: BlueskyConnector, brand: Account, customer: Account
) -> None:
    """It is filed below posts that are already known."""
    _, cursor = read_all(connector, None)
    first = ask(customer, brand, "pierwsza")
    _, cursor = arrived(connector, cursor, first["uri"])
    slow = (datetime.now(UTC) - timedelta(minutes=4)).isoformat()
    late = ask(customer, brand, "druga, z zegarem cztery minuty w tyle", created_at=slow)
    post, cursor = arrived(connector, cursor, late["uri"])
    assert post.created_at < datetime.now(UTC) - timedelta(minutes=3)
    assert read_all(connector, cursor)[0] == []


def test_the_first_poll_reads_the_newest_page_only(
    connector: BlueskyConnector, brand: Account, customer: Account
) -> None:
    asked = [ask(customer, brand, f"dawno {number}")["uri"] for number in range(14)]
    wait_until(
        "all of them in the index",
        lambda: len(brand.query("app.bsky.notification.listNotifications", limit=50)["notifications"]) == len(asked),
    )
    page = connector.fetch(None)
    assert [post.native_id for post in page.posts] == asked[-10:]
    assert not page.more
    assert read_all(connector, page.cursor)[0] == []


def test_it_keeps_pictures_as_references_with_their_description(
    connector: BlueskyConnector, brand: Account, customer: Account
) -> None:
    _, cursor = read_all(connector, None)
    embed = {
        "$type": "app.bsky.embed.external",
        "external": {"uri": "https://example.test/zdjecie", "title": "Pęknięty kubek", "description": ""},
    }
    asked = ask(customer, brand, "taki przyszedł", embed=embed)
    post, _ = arrived(connector, cursor, asked["uri"])
    assert [(media.kind.value, media.url, media.description) for media in post.media] == [
        ("link", "https://example.test/zdjecie", "Pęknięty kubek")
    ]


# --- replying ---------------------------------------------------------------------------------------------------------


def test_it_publishes_a_reply_exactly_once_however_often_it_is_asked(
    connector: BlueskyConnector, brand: Account, customer: Account
) -> None:
    asked = ask(customer, brand)
    post, _ = arrived(connector, None, asked["uri"])
    receipts = [connector.reply(post.ref, ANSWER, key="reply-1", sent_by=SentBy.ROBOT) for _ in range(3)]
    assert len({receipt.native_id for receipt in receipts}) == 1
    wait_until("our reply in the customer's thread", lambda: replies_in(customer, asked["uri"]))
    assert replies_in(customer, asked["uri"]) == [ANSWER]
    assert connector.find_own_reply(post.ref, ANSWER, key="reply-1") == receipts[-1]
    assert connector.find_own_reply(post.ref, ANSWER, key="another-reply") is None


def test_it_says_uncertain_where_the_answer_is_lost_and_adopts_the_reply_later(
    brand: Account, customer: Account, open_for: Opener, answers_lost: Callable[[str], BlueskyNetwork]
) -> None:
    asked = ask(customer, brand)
    connector = open_for(brand, answers_lost("com.atproto.repo.createRecord"))
    post, _ = arrived(connector, None, asked["uri"])
    with pytest.raises(Uncertain):
        connector.reply(post.ref, ANSWER, key="lost", sent_by=SentBy.ROBOT)
    found = connector.find_own_reply(post.ref, ANSWER, key="lost")
    assert found is not None
    again = open_for(brand).reply(post.ref, ANSWER, key="lost", sent_by=SentBy.ROBOT)
    assert again.native_id == found.native_id
    wait_until("our reply in the customer's thread", lambda: replies_in(customer, asked["uri"]))
    assert replies_in(customer, asked["uri"]) == [ANSWER]


def test_a_look_up_that_nobody_answers_is_no_verdict_and_is_asked_again(
    brand: Account, customer: Account, open_for: Opener, answers_lost: Callable[[str], BlueskyNetwork]
) -> None:
    post, _ = arrived(open_for(brand), None, ask(customer, brand)["uri"])
    with pytest.raises(Unreachable):
        open_for(brand, answers_lost("com.atproto.repo.getRecord")).find_own_reply(post.ref, ANSWER, key="k")


def test_it_is_refused_a_text_that_is_too_long(connector: BlueskyConnector, brand: Account, customer: Account) -> None:
    post, _ = arrived(connector, None, ask(customer, brand)["uri"])
    with pytest.raises(Refused) as refused:
        connector.reply(post.ref, "ż" * 301, key="long", sent_by=SentBy.PERSON)
    assert refused.value.reason is RefusalReason.TOO_LONG
    assert connector.find_own_reply(post.ref, "", key="long") is None


def test_the_declared_length_limit_is_the_servers(
    connector: BlueskyConnector, brand: Account, customer: Account
) -> None:
    post, _ = arrived(connector, None, ask(customer, brand)["uri"])
    limit = connector.reply_rules.length_limit
    assert connector.reply(post.ref, "ż" * limit, key="exact", sent_by=SentBy.PERSON).native_id


# --- what the network knows -------------------------------------------------------------------------------------------


def test_it_sees_a_deletion(connector: BlueskyConnector, brand: Account, customer: Account) -> None:
    asked, kept = ask(customer, brand), ask(customer, brand, "a to zostaje")
    post, _ = arrived(connector, None, asked["uri"])
    other, _ = arrived(connector, None, kept["uri"])
    customer.delete(asked["uri"])
    state = wait_until(
        "the deletion",
        lambda: (s := connector.refresh([post.ref, other.ref])) and isinstance(s[asked["uri"]], Gone) and s,
    )
    assert isinstance(state[kept["uri"]], FetchedPost)
    assert connector.can_reply(post.ref).permission is Permission.OPEN_IN_APP
    assert list(connector.thread(post.ref)) == []
    with pytest.raises(Refused) as refused:
        connector.reply(post.ref, ANSWER, key="too-late", sent_by=SentBy.ROBOT)
    assert refused.value.reason is RefusalReason.GONE


def test_it_sees_that_another_client_overwrote_a_post(
    connector: BlueskyConnector, brand: Account, customer: Account
) -> None:
    asked = ask(customer, brand)
    post, _ = arrived(connector, None, asked["uri"])
    customer.procedure(
        "com.atproto.repo.putRecord",
        {
            "repo": customer.did,
            "collection": "app.bsky.feed.post",
            "rkey": asked["uri"].split("/")[-1],
            "record": {"$type": "app.bsky.feed.post", "text": "zmieniłam zdanie", "createdAt": post.raw["indexedAt"]},
        },
    )

    def changed() -> FetchedPost | None:
        now = connector.refresh([post.ref])[post.native_id]
        return now if isinstance(now, FetchedPost) and now.revision != post.revision else None

    assert wait_until("the new text", changed).text == "zmieniłam zdanie"


def test_it_recognises_an_answer_given_in_the_networks_own_app(
    connector: BlueskyConnector, brand: Account, customer: Account
) -> None:
    _, cursor = read_all(connector, None)
    asked = ask(customer, brand)
    post, cursor = arrived(connector, cursor, asked["uri"])
    by_hand = brand.post("Już sprawdzam, Anna", reply_to=(asked, asked))

    def ours_in_thread() -> list[FetchedPost]:
        return [item for item in connector.thread(post.ref) if item.ours]

    own = wait_until("the answer in the thread", ours_in_thread)
    assert [(item.native_id, item.in_reply_to, item.kind) for item in own] == [
        (by_hand["uri"], asked["uri"], PostKind.OWN)
    ]
    polled, _ = arrived(connector, cursor, by_hand["uri"])
    assert (polled.ours, polled.text) == (True, "Już sprawdzam, Anna")


def test_it_sees_an_answer_given_beside_the_post_in_the_same_branch(
    connector: BlueskyConnector, brand: Account, customer: Account
) -> None:
    """The customer wrote twice; a person answered the first message, and the second one is looked at."""
    first = ask(customer, brand)
    second = ask(customer, brand, "halo?", reply_to=(first, first))
    by_hand = brand.post("Jesteśmy, już szukam", reply_to=(first, first))
    post, _ = arrived(connector, None, second["uri"])
    wait_until(
        "the answer beside the post",
        lambda: any(item.native_id == by_hand["uri"] and item.ours for item in connector.thread(post.ref)),
    )
    assert [item.native_id for item in connector.thread(post.ref)] == [first["uri"], second["uri"], by_hand["uri"]]


def test_it_does_not_answer_a_customer_who_blocked_us(
    connector: BlueskyConnector, brand: Account, customer: Account
) -> None:
    post, _ = arrived(connector, None, ask(customer, brand)["uri"])
    assert connector.can_reply(post.ref).allowed
    customer.block(brand)
    verdict = wait_until("the block", lambda: (v := connector.can_reply(post.ref)) and not v.allowed and v)
    assert verdict.permission is Permission.OPEN_IN_APP
    assert "blocked the profile" in verdict.reason
    with pytest.raises(Refused) as refused:
        connector.reply(post.ref, ANSWER, key="unwanted", sent_by=SentBy.ROBOT)
    assert refused.value.reason is RefusalReason.BLOCKED
    # the post is not gone, we merely may not see it
    assert dict(connector.refresh([post.ref])) == {}


def test_it_does_not_answer_where_replies_are_closed(
    connector: BlueskyConnector, brand: Account, customer: Account
) -> None:
    asked = ask(customer, brand)
    post, _ = arrived(connector, None, asked["uri"])
    gate = {"$type": "app.bsky.feed.threadgate", "post": asked["uri"], "allow": []}
    gate["createdAt"] = customer.client.get_current_time_iso()
    customer.create("app.bsky.feed.threadgate", gate, asked["uri"].split("/")[-1])
    verdict = wait_until("the gate", lambda: (v := connector.can_reply(post.ref)) and not v.allowed and v)
    assert "closed the replies" in verdict.reason


def test_it_says_that_a_post_of_a_closed_account_is_gone(
    connector: BlueskyConnector, brand: Account, new_account: Callable[[str], Account]
) -> None:
    leaver = new_account("leaver")
    asked = ask(leaver, brand)
    post, _ = arrived(connector, None, asked["uri"])
    leaver.procedure("com.atproto.server.deactivateAccount", {})
    wait_until("the post is gone", lambda: isinstance(connector.refresh([post.ref]).get(post.native_id), Gone))


# --- the session ------------------------------------------------------------------------------------------------------


def test_it_keeps_its_session_over_restarts(brand: Account, open_for: Opener) -> None:
    """Sign-ins are counted by the network: a second start must not need the password."""
    store = KeptInMemory(app_password=brand.password)
    open_for(brand, store=store).identity()
    store.parts["app_password"] = "no-longer-right"
    restarted = open_for(brand, store=store)
    assert restarted.identity().native_id == brand.did
    assert restarted.fetch(None).posts == ()


def test_it_signs_in_again_where_the_kept_session_is_worth_nothing(brand: Account, open_for: Opener) -> None:
    store = KeptInMemory(app_password=brand.password)
    open_for(brand, store=store).identity()
    handle, did, access, refresh, server = store.parts["session"].split(":::")
    store.parts["session"] = ":::".join((handle, did, access[:-4] + "AAAA", refresh[:-4] + "AAAA", server))
    restarted = open_for(brand, store=store)
    assert restarted.fetch(None).posts == ()
    assert store.parts["session"].split(":::")[2] != access[:-4] + "AAAA"


def test_it_says_that_the_app_password_is_wrong_without_telling_it(brand: Account, open_for: Opener) -> None:
    connector = open_for(brand, store=KeptInMemory(app_password="zgadywane-haslo"))
    with pytest.raises(CredentialsExpired) as refused:
        connector.fetch(None)
    assert "zgadywane-haslo" not in str(refused.value)
    assert "app password" in str(refused.value)


def test_it_reads_the_limits_from_the_networks_own_headers(connector: BlueskyConnector) -> None:
    connector.fetch(None)
    limits = {quota.scope: quota for quota in connector.quota()}
    assert set(limits) == {"session", "read"}
    assert all(quota.limit and quota.remaining is not None and quota.resets_at for quota in limits.values())
    assert limits["session"].limit == 30


def test_it_talks_to_the_configured_address_only(brand: Account, network: BlueskyNetwork, open_for: Opener) -> None:
    """The DID document in the sign-in's answer names another host ("localhost"), which the SDK would follow."""
    store = KeptInMemory(app_password=brand.password)
    connector = open_for(brand, store=store)
    connector.fetch(None)
    assert network.pds.startswith("http://127.0.0.1:")
    assert connector._client._base_url == f"{network.pds}/xrpc"
    assert "http://localhost:" in store.parts["session"]
