"""The X connector: the common contract, judged by X's own OpenAPI document, and what is peculiar to X.

Point ``DYZUR_X_OPENAPI`` to a copy of that document (https://api.x.com/2/openapi.json, or the one in X's ``xdk``
repository); without it the same promises run unjudged, and the judge's own test is skipped with the reason.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connectors.simulated.control import customer_posts
from connectors.simulated.records import WorldPost
from connectors.simulated.server import Dialect, SimulatedRequest, SimulatedResponse
from connectors.simulated.twitter import TwitterDialect
from connectors.simulated.world import World
from connectors.spending import CountedHere
from social.domain.errors import (
    ConfigurationError,
    CredentialsExpired,
    RateLimited,
    RefusalReason,
    Refused,
    Uncertain,
    Unreachable,
)
from social.domain.post import FetchedPost, Gone, MediaKind, PostKind, PostRef
from social.domain.reply import SentBy
from social.ports import Charge, Connector, Permission
from tests.connectors.contract import (
    START,
    ConnectorContract,
    RememberedCredentials,
    Stage,
    numbers,
    whole_round,
)
from tests.connectors.openapi_contract import OpenApiJudge

DOCUMENT = os.environ.get("DYZUR_X_OPENAPI", "")
PATHS = (
    "/2/users/me",
    "/2/users/{id}/mentions",
    "/2/users/{id}/tweets",
    "/2/tweets",
    "/2/tweets/search/recent",
)
OAUTH2: Mapping[str, str] = {
    "access_token": "expired-canary-access-token",
    "refresh_token": "canary-refresh-token-1",
    "client_id": "client-of-the-shop",
}
Answer = Callable[[SimulatedRequest], SimulatedResponse | None]


class Interposed:
    """A network with something of its own before or after the simulated one."""

    def __init__(
        self,
        stage: Stage,
        *,
        instead: Answer = lambda request: None,
        after: Callable[[SimulatedRequest, Any], Any] = lambda request, body: body,
    ) -> None:
        self._dialect = stage.server.dialects["twitter"]
        self._instead, self._after = instead, after
        self.network, self.refuse = self._dialect.network, self._dialect.refuse
        self.seen: list[SimulatedRequest] = []
        stage.server.dialects["twitter"] = self

    def handle(self, request: SimulatedRequest, world: World) -> SimulatedResponse:
        self.seen.append(request)
        response = self._instead(request) or self._dialect.handle(request, world)
        return replace(response, body=self._after(request, response.body))


def problem(status: int, detail: str, **headers: str) -> SimulatedResponse:
    return SimulatedResponse(
        status=status,
        body={"title": "Problem", "detail": detail, "type": "about:blank", "status": status},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def only(method: str, ending: str, response: SimulatedResponse) -> Answer:
    return lambda request: response if request.method == method and request.path.endswith(ending) else None


def customers(connector: Connector) -> list[FetchedPost]:
    return [post for post in whole_round(connector, None).posts if not post.ours]


def unsummoned(stage: Stage) -> PostRef:
    """A post that merely names the brand; only a search would find it."""
    with stage.world.lock:
        stranger = stage.world.open_account("twitter", "stranger")
        post = stage.world.publish("twitter", stranger, "Sklep Lawenda znowu milczy", kind=PostKind.MENTION)
    return ref_of(post)


def ref_of(post: WorldPost) -> PostRef:
    """By X's own rule for ids, told again: milliseconds since X's epoch, then 22 bits."""
    native_id = str(((int(post.created_at.timestamp() * 1000) - 1_288_834_974_657) << 22) | post.sequence)
    return PostRef(
        native_id=native_id,
        thread_root=native_id,
        author_id=str(post.author.number),
        kind=PostKind.MENTION,
        created_at=post.created_at,
        native={"id": native_id},
    )


class TestTwitter(ConnectorContract):
    kind = "twitter"
    secrets: ClassVar = {"access_token": "canary-access-token-of-x"}
    answers: ClassVar = {"consumer_key": "canary-consumer-key", "consumer_secret": "canary-consumer-secret"} | {
        "access_token": "canary-access-token-of-x",
        "access_token_secret": "canary-token-secret",
    }

    def checked(self, dialect: Dialect) -> Dialect:
        fresh = TwitterDialect()  # with a memory of its own for tokens
        if not DOCUMENT:
            return fresh
        self.judge = OpenApiJudge(fresh, Path(DOCUMENT), PATHS, unjudged=["/2/oauth2/token"])
        return self.judge

    @pytest.fixture(autouse=True)
    def nothing_against_the_official_document(self) -> Iterator[None]:
        yield
        judge = getattr(self, "judge", None)
        assert judge is None or judge.violations == []

    # --- reading -------------------------------------------------------------------------------------------------------

    def test_a_mention_a_reply_and_an_own_post_are_told_apart(self, stage: Stage) -> None:
        connector = stage.connector()
        campaign = stage.shop_post()
        customer_posts(stage.world, "twitter", "hej @sklep_lawenda, jest lawenda?", author="ola_wrona")
        answer = customer_posts(stage.world, "twitter", "a kiedy?", author="beata_kuras", parent=campaign.sequence)
        kinds = {post.author.native_id: post for post in whole_round(connector, None).posts}
        by_name = {account.key: str(account.number) for account in stage.world.accounts("twitter")}
        assert kinds[by_name["ola_wrona"]].kind is PostKind.MENTION
        reply = kinds[by_name["beata_kuras"]]
        assert (reply.kind, reply.summoned, reply.in_reply_to) == (PostKind.REPLY, True, ref_of(campaign).native_id)
        assert reply.thread_root == ref_of(campaign).native_id
        assert reply.native_id == ref_of(answer).native_id
        own = kinds[by_name["shop"]]
        assert (own.kind, own.ours, own.summoned) == (PostKind.OWN, True, False)

    def test_both_generations_of_field_names_are_read(self, stage: Stage) -> None:
        campaign = stage.shop_post()
        customer_posts(stage.world, "twitter", "a kiedy?", parent=campaign.sequence)
        before = customers(stage.connector())

        def renamed(request: SimulatedRequest, body: Any) -> Any:
            told = json.dumps(body).replace('"referenced_tweets"', '"referenced_posts"')
            return json.loads(told.replace('"edit_history_tweet_ids"', '"edit_history_post_ids"'))

        Interposed(stage, after=renamed)
        after = customers(stage.connector())
        assert [(post.ref, post.in_reply_to, post.kind) for post in after] == [
            (post.ref, post.in_reply_to, post.kind) for post in before
        ]

    def test_an_edited_mention_keeps_its_first_id_and_time(self, stage: Stage) -> None:
        connector = stage.connector()
        said = stage.customer_says("ma byc lawenda")
        first = whole_round(connector, None)
        stage.pass_time(minutes=10)
        stage.world.edit(said.sequence, "@sklep_lawenda ma być lawenda")
        (edited,) = whole_round(connector, first.cursor).posts
        (original,) = (post for post in first.posts if not post.ours)
        assert edited.native_id == original.native_id
        assert edited.revision
        assert edited.created_at == original.created_at
        assert edited.edited_at == START + timedelta(minutes=10)
        assert edited.text.endswith("ma być lawenda")

    def test_a_reply_goes_to_the_newest_version(self, stage: Stage) -> None:
        connector = stage.connector()
        said = stage.customer_says("ma byc lawenda")
        stage.pass_time(minutes=10)
        stage.world.edit(said.sequence, "@sklep_lawenda ma być lawenda")
        (post,) = customers(connector)
        network = Interposed(stage)
        connector.reply(post.ref, "Jest!", key="k", sent_by=SentBy.ROBOT)
        sent = json.loads(network.seen[-1].body)
        assert sent == {"text": "Jest!", "reply": {"in_reply_to_tweet_id": post.revision}}
        assert connector.find_own_reply(post.ref, "Jest!", key="k") is not None

    @pytest.mark.parametrize("edits", [1, 2])
    def test_the_deletion_of_an_edited_post_is_told_by_its_first_id(self, stage: Stage, edits: int) -> None:
        connector = stage.connector()
        said = stage.customer_says("wersja 0")
        (post,) = customers(connector)
        for edit in range(1, edits + 1):
            stage.pass_time(minutes=5)
            stage.world.edit(said.sequence, f"@sklep_lawenda wersja {edit}")
        edited = connector.refresh([post.ref])[post.native_id]
        assert isinstance(edited, FetchedPost) and edited.revision
        stage.world.delete(said.sequence)
        assert connector.refresh([edited.ref]) == {post.native_id: Gone(native_id=post.native_id)}

    def test_a_post_whose_newest_version_just_went_is_told_by_its_first_id(self, stage: Stage) -> None:
        connector = stage.connector()
        said = stage.customer_says("wersja 0")
        (post,) = customers(connector)
        stage.pass_time(minutes=5)
        stage.world.edit(said.sequence, "@sklep_lawenda wersja 1")
        lookups = 0

        def deleted_in_between(request: SimulatedRequest) -> None:
            nonlocal lookups
            lookups += request.path == "/2/tweets"
            if lookups == 2:
                stage.world.delete(said.sequence)

        Interposed(stage, instead=deleted_in_between)
        assert connector.refresh([post.ref]) == {post.native_id: Gone(native_id=post.native_id)}
        assert lookups == 2

    def test_an_answer_to_an_earlier_version_is_found(self, stage: Stage) -> None:
        connector = stage.connector()
        said = stage.customer_says("wersja 0")
        cursor = whole_round(connector, None).cursor
        stage.pass_time(minutes=2)
        stage.world.edit(said.sequence, "@sklep_lawenda wersja 1")
        (second,) = whole_round(connector, cursor).posts
        connector.reply(second.ref, "Dziękujemy!", key="k", sent_by=SentBy.ROBOT)
        (own,) = [item for item in connector.thread(second.ref) if item.ours]
        assert own.in_reply_to == second.revision != second.native_id
        stage.pass_time(minutes=2)
        stage.world.edit(said.sequence, "@sklep_lawenda wersja 2")
        third = connector.refresh([second.ref])[second.native_id]
        assert isinstance(third, FetchedPost)
        found = connector.find_own_reply(third.ref, "Dziękujemy!", key="k")
        assert found is not None and found.native_id == own.native_id

    def test_photos_and_links_are_references(self, stage: Stage) -> None:
        said = customer_posts(stage.world, "twitter", "zobaczcie", photo="zbite.jpg")
        (post,) = customers(stage.connector())
        assert [media.kind for media in post.media] == [MediaKind.IMAGE]
        assert post.text.endswith("zobaczcie")
        link = {"start": 0, "end": 5, "url": "https://t.co/abc", "expanded_url": "https://example.org/a"}

        def linked(request: SimulatedRequest, body: Any) -> Any:
            for item in body.get("data", ()) if request.path.endswith("/mentions") else ():
                item["entities"] = {"urls": [link]}
                item["note_tweet"] = {
                    "text": "długi tekst https://t.co/abc &amp; koniec",
                    "entities": {"urls": [link, {**link, "expanded_url": ""}]},
                }
            return body

        Interposed(stage, after=linked)
        (post,) = customers(stage.connector())
        assert post.text == "długi tekst https://example.org/a & koniec"
        assert [(media.kind, media.url) for media in post.media] == [(MediaKind.LINK, "https://example.org/a")]
        assert said.photo

    def test_authors_names_cost_extra_and_are_asked_for_only_then(self, stage: Stage) -> None:
        nobody = next(member for member in stage.world.library.members.values() if member.deleted)
        stage.customer_says("nowy 1")
        stage.customer_says("nowy 2", author=nobody.key)
        network = Interposed(stage)
        plain = customers(stage.connector())
        assert not any("expansions" in request.query for request in network.seen)
        assert [post.author.handle for post in plain] == [None, None]
        named, gone = customers(stage.connector(options={"expand_authors": True}))
        assert named.author.handle == "olawrona"
        assert (gone.author.handle, gone.author.deleted) == (None, True)
        assert {post.author.native_id for post in plain} == {named.author.native_id, gone.author.native_id}

    def test_paging_in_a_circle_ends_and_forgets_nothing(self, stage: Stage) -> None:
        connector = stage.connector()
        stage.customer_says("nowy 0")
        cursor = whole_round(connector, None).cursor
        stage.customer_says("nowy 1")

        def circling(request: SimulatedRequest, body: Any) -> Any:
            if request.path.endswith("/mentions"):
                body["meta"]["next_token"] = "t9999999999999999999"
            return body

        Interposed(stage, after=circling)
        page = whole_round(connector, cursor)
        assert set(numbers(page)) == {1}
        assert page.cursor["mentions"]["mark"] == cursor["mentions"]["mark"]

    def test_own_posts_can_be_left_out(self, stage: Stage) -> None:
        stage.shop_post()
        network = Interposed(stage)
        assert whole_round(stage.connector(options={"watch_own_posts": False}), None).posts == ()
        assert not any(request.path.endswith("/tweets") for request in network.seen)

    def test_threads_add_something_only_where_own_posts_are_left_out_or_conversations_are_read(
        self, stage: Stage
    ) -> None:
        assert stage.connector().threads_add_nothing
        assert not stage.connector(options={"watch_own_posts": False}).threads_add_nothing
        assert not stage.connector(options={"read_conversations": True}).threads_add_nothing

    def test_a_whole_conversation_is_read_where_that_is_paid_for(self, stage: Stage) -> None:
        said = stage.customer_says("nowy 1")
        (post,) = customers(stage.connector())
        customer_posts(stage.world, "twitter", "mam to samo", author="beata_kuras", parent=said.sequence)
        assert list(stage.connector().thread(post.ref)) == []
        found = stage.connector(options={"read_conversations": True}).thread(post.ref)
        assert [item.text.rpartition("@sklep_lawenda ")[2] for item in found] == ["nowy 1", "mam to samo"]

    def test_searches_find_who_merely_names_or_quotes_the_brand(self, stage: Stage) -> None:
        queries = ['"Sklep Lawenda" -is:retweet', 'url:"x.com/sklep_lawenda/status"']
        connector = stage.connector(options={"search": queries})
        cursor = whole_round(connector, None).cursor
        named = unsummoned(stage)
        customer_posts(stage.world, "twitter", "patrzcie", kind="quote", quoted=stage.shop_post().sequence)
        page = whole_round(connector, cursor)
        found = {post.kind: post for post in page.posts if not post.ours}
        assert found[PostKind.MENTION].native_id == named.native_id
        assert not found[PostKind.MENTION].summoned
        assert found[PostKind.QUOTE].summoned
        assert whole_round(connector, page.cursor).posts == ()

    def test_a_search_after_a_long_break_begins_where_the_network_still_reaches(self, stage: Stage) -> None:
        connector = stage.connector(options={"search": ["lawenda"]})
        unsummoned(stage)
        cursor = whole_round(connector, None).cursor
        stage.pass_time(days=9)
        fresh = unsummoned(stage)
        found = [post.native_id for post in whole_round(connector, cursor).posts if not post.ours]
        assert found == [fresh.native_id]

    def test_a_post_that_turned_invisible_is_gone_and_one_with_another_problem_is_not(self, stage: Stage) -> None:
        stage.customer_says("nowy 1")
        (post,) = customers(stage.connector())

        def told(kind: str) -> SimulatedResponse:
            error = {"resource_id": post.native_id, "type": f"https://api.twitter.com/2/problems/{kind}", "title": "x"}
            return SimulatedResponse(body={"errors": [error]})

        Interposed(stage, instead=only("GET", "/2/tweets", told("not-authorized-for-resource")))
        assert isinstance(stage.connector().refresh([post.ref])[post.native_id], Gone)
        Interposed(stage, instead=only("GET", "/2/tweets", told("operational-disconnect")))
        assert stage.connector().refresh([post.ref]) == {}

    # --- replying ------------------------------------------------------------------------------------------------------

    def test_who_did_not_summon_the_account_is_not_answered(self, stage: Stage) -> None:
        reply = self._refused(stage, unsummoned(stage))
        assert reply.reason is RefusalReason.NOT_SUMMONED

    def test_a_blocked_or_a_closed_conversation_is_not_answered(self, stage: Stage) -> None:
        said = stage.customer_says("nowy 1")
        (post,) = customers(stage.connector())
        stage.world.block("twitter", "ola_wrona")
        assert self._refused(stage, post.ref).reason is RefusalReason.BLOCKED
        stage.world.block("twitter", "ola_wrona", blocked=False)
        stage.world.disable_replies(said.sequence)
        assert self._refused(stage, post.ref).reason is RefusalReason.REPLIES_DISABLED
        verdict = stage.connector().can_reply(post.ref)
        assert (verdict.permission, verdict.allowed) == (Permission.OPEN_IN_APP, False)
        assert "following" in verdict.reason

    def test_a_text_that_is_too_long_is_told_so(self, stage: Stage) -> None:
        stage.customer_says("nowy 1")
        (post,) = customers(stage.connector())
        assert self._refused(stage, post.ref, "ż" * 281).reason is RefusalReason.TOO_LONG

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            ("You can only reply to or quote posts where you are mentioned or are the author.", "not-summoned"),
            ("You attempted to reply to a Tweet that is deleted or not visible to you.", "gone"),
            ("This request looks like it might be automated.", "abuse"),
            ("Your account is suspended and is not permitted to access this feature.", "abuse"),
            ("Your client app is not configured with the appropriate oauth1 app permissions.", "permission"),
        ],
    )
    def test_the_networks_words_become_a_reason(self, stage: Stage, words: str, reason: str) -> None:
        Interposed(stage, instead=only("POST", "/2/tweets", problem(403, words)))
        assert self._refused(stage, unsummoned(stage)).reason.value == reason

    def test_duplicate_content_may_be_our_own_first_attempt(self, stage: Stage) -> None:
        connector = stage.connector()
        stage.customer_says("nowy 1")
        (post,) = customers(connector)
        sent = connector.reply(post.ref, "Dziękujemy!", key="k", sent_by=SentBy.ROBOT)
        with pytest.raises(Uncertain):
            connector.reply(post.ref, "Dziękujemy!", key="k", sent_by=SentBy.ROBOT)
        found = connector.find_own_reply(post.ref, "Dziękujemy!", key="k")
        assert found is not None
        assert found.native_id == sent.native_id
        assert len(stage.published()) == 1

    def test_our_answer_to_another_customer_with_the_same_words_is_not_taken_for_this_one(self, stage: Stage) -> None:
        connector = stage.connector()
        stage.customer_says("nowy 1")
        stage.customer_says("nowy 2", author="beata_kuras")
        first, second = customers(connector)
        connector.reply(first.ref, "Dziękujemy & pozdrawiamy!", key="k1", sent_by=SentBy.ROBOT)
        assert connector.find_own_reply(second.ref, "Dziękujemy & pozdrawiamy!", key="k2") is None
        assert connector.find_own_reply(first.ref, "Dziękujemy & pozdrawiamy!", key="k1") is not None

    def _refused(self, stage: Stage, post: PostRef, text: str = "Dziękujemy!") -> Refused:
        error = self._fails(Refused, lambda: stage.connector().reply(post, text, key="k", sent_by=SentBy.ROBOT))
        assert isinstance(error, Refused)
        assert stage.published() == []
        return error

    # --- limits and money ----------------------------------------------------------------------------------------------

    def test_the_daily_limit_of_the_app_has_its_own_end(self, stage: Stage) -> None:
        ends = START + timedelta(hours=7)
        spent = problem(
            429,
            "Too Many Requests",
            x_rate_limit_reset=str(int((START + timedelta(minutes=5)).timestamp())),
            x_app_limit_24hour_remaining="0",
            x_app_limit_24hour_limit="10000",
            x_app_limit_24hour_reset=str(int(ends.timestamp())),
        )
        Interposed(stage, instead=only("POST", "/2/tweets", spent))
        connector = stage.connector()
        error = self._fails(
            RateLimited, lambda: connector.reply(unsummoned(stage), "Hej", key="k", sent_by=SentBy.ROBOT)
        )
        assert isinstance(error, RateLimited)
        assert (error.until, error.scope) == (ends, "write")
        daily = next(quota for quota in connector.quota() if quota.scope == "write-app-24h")
        assert (daily.remaining, daily.used_percent, daily.resets_at) == (0, 100.0, ends)

    def test_credits_that_are_used_up_stop_reading_for_an_hour(self, stage: Stage) -> None:
        connector = stage.connector()
        connector.identity()
        Interposed(stage, instead=only("GET", "/mentions", problem(402, "CreditsDepleted")))
        error = self._fails(RateLimited, lambda: connector.fetch(None))
        assert isinstance(error, RateLimited)
        assert (error.scope, error.until) == ("credits", START + timedelta(hours=1))
        assert "credits" in error.next_step

    def test_each_limit_is_told_apart(self, stage: Stage) -> None:
        connector = stage.connector()
        whole_round(connector, None)
        quotas = {quota.scope: quota for quota in connector.quota()}
        assert set(quotas) == {"account", "mentions", "own-posts"}
        assert (quotas["mentions"].limit, quotas["mentions"].remaining) == (300, 299)
        assert quotas["mentions"].resets_at == START + timedelta(minutes=15)

    # --- tokens --------------------------------------------------------------------------------------------------------

    def test_a_new_refresh_token_is_saved_before_the_first_use_of_the_new_access_token(self, stage: Stage) -> None:
        events: list[str] = []

        class Watched(RememberedCredentials):
            def save(self, name: str, parts: Mapping[str, str]) -> None:
                events.append("saved")
                super().save(name, parts)

        credentials = Watched("own", OAUTH2)
        network = Interposed(stage, instead=lambda request: events.append(request.path))  # type: ignore[func-returns-value]
        connector = stage.connector(credentials=credentials)
        assert connector.identity().handle == "sklep_lawenda"
        assert events == ["/2/users/me", "/2/oauth2/token", "saved", "/2/users/me"]
        (saved,) = credentials.saved
        assert set(saved) == {"access_token", "refresh_token", "expires_at", "scope"}
        assert network.seen[-1].bearer() == saved["access_token"]

    def test_a_token_that_is_about_to_end_is_renewed_in_time(self, stage: Stage) -> None:
        ends = (START + timedelta(minutes=1)).isoformat()
        credentials = RememberedCredentials("own", {**OAUTH2, "access_token": "canary-living", "expires_at": ends})
        network = Interposed(stage)
        connector = stage.connector(credentials=credentials)
        connector.identity()
        assert [request.path for request in network.seen] == ["/2/oauth2/token", "/2/users/me"]
        stage.pass_time(hours=2)
        connector.fetch(None)
        assert [request.path for request in network.seen].count("/2/oauth2/token") == 2

    def test_threads_that_meet_a_dead_token_renew_it_once(self, stage: Stage) -> None:
        network = Interposed(stage)
        connector = stage.connector(credentials=RememberedCredentials("own", OAUTH2))
        with ThreadPoolExecutor(4) as threads:
            names = {who.handle for who in threads.map(lambda _: connector.identity(), range(4))}
        assert names == {"sklep_lawenda"}
        assert [request.path for request in network.seen].count("/2/oauth2/token") == 1

    def test_what_another_process_renewed_is_taken_over(self, stage: Stage) -> None:
        credentials = RememberedCredentials("own", OAUTH2)
        connector = stage.connector(credentials=credentials)
        credentials.parts["own"] |= {"access_token": "canary-renewed-elsewhere", "refresh_token": "canary-next"}
        network = Interposed(stage)
        connector.identity()
        assert "/2/oauth2/token" not in [request.path for request in network.seen]
        assert network.seen[-1].bearer() == "canary-renewed-elsewhere"

    def test_a_refresh_that_is_refused_asks_for_a_person(self, stage: Stage) -> None:
        used = RememberedCredentials("own", OAUTH2)
        stage.connector(credentials=used).identity()
        connector = stage.connector(credentials=RememberedCredentials("own", OAUTH2))  # a backup with the spent token
        # of somebody who looks once it is the only word
        for kind in (Unreachable, CredentialsExpired, CredentialsExpired):
            error = self._fails(kind, connector.identity)
            assert "Renew its access: social connect twitter --renew " in str(error)
            assert OAUTH2["refresh_token"] not in str(error)
            stage.pass_time(seconds=3)

    def test_a_refresh_that_another_process_is_about_to_save_is_waited_for(self, stage: Stage) -> None:
        kept = RememberedCredentials("own", OAUTH2)
        here = stage.connector(credentials=kept)
        elsewhere = RememberedCredentials("own", OAUTH2)
        stage.connector(credentials=elsewhere).identity()  # quicker, and nothing of it is in our store yet
        for _ in range(2):  # the poll and a delivery
            error = self._fails(Unreachable, here.identity)
            assert "another process may be at it" in str(error)
        kept.parts["own"] |= elsewhere.parts["own"]
        network = Interposed(stage)
        assert here.identity().handle == "sklep_lawenda"
        assert "/2/oauth2/token" not in [request.path for request in network.seen]

    def test_a_refusal_of_another_refresh_token_is_a_first_one_again(self, stage: Stage) -> None:
        other = {**OAUTH2, "access_token": "expired-canary-of-another", "refresh_token": "canary-refresh-token-x"}
        for spent in (OAUTH2, other):
            stage.connector(credentials=RememberedCredentials("own", spent)).identity()
        kept = RememberedCredentials("own", OAUTH2)
        connector = stage.connector(credentials=kept)
        self._fails(Unreachable, connector.identity)
        kept.parts["own"] |= other
        stage.pass_time(minutes=5)
        self._fails(CredentialsExpired, connector.identity)  # the new access token is not good either
        self._fails(Unreachable, connector.identity)

    def test_a_reply_whose_token_had_ended_is_sent_by_the_next_attempt_only(self, stage: Stage) -> None:
        stage.customer_says("nowy 1")
        (post,) = customers(stage.connector())
        connector = stage.connector(credentials=RememberedCredentials("own", OAUTH2))
        self._fails(Unreachable, lambda: connector.reply(post.ref, "Hej", key="k", sent_by=SentBy.ROBOT))
        assert stage.published() == []
        connector.reply(post.ref, "Hej", key="k", sent_by=SentBy.ROBOT)
        assert len(stage.published()) == 1

    def test_a_lost_answer_of_the_token_server_costs_nothing_public(self, stage: Stage) -> None:
        connector = stage.connector(credentials=RememberedCredentials("own", OAUTH2))
        stage.fault("status", path="oauth2/token", status=503)
        self._fails(Unreachable, connector.identity)
        assert connector.identity().handle == "sklep_lawenda"

    def test_oauth_1_signs_and_half_a_credential_is_named(self, stage: Stage) -> None:
        parts = {
            "consumer_key": "canary-consumer-key",
            "consumer_secret": "canary-consumer-secret",
            "access_token": "canary-user-token",
            "access_token_secret": "canary-user-secret",
        }
        if hasattr(self, "judge"):
            stage.server.dialects["twitter"] = TwitterDialect()  # the judge knows bearer tokens only
        network = Interposed(stage)
        stage.connector(credentials=RememberedCredentials("own", parts)).identity()
        assert network.seen[-1].headers["authorization"].startswith("OAuth ")
        del parts["consumer_secret"]
        with pytest.raises(ConfigurationError, match="consumer_secret"):
            stage.connector(credentials=RememberedCredentials("own", parts))
        with pytest.raises(ConfigurationError, match="client_id"):
            stage.connector(credentials=RememberedCredentials("own", {**OAUTH2, "client_id": ""}))

    def test_one_opened_connector_asks_who_it_is_once(self, stage: Stage) -> None:
        network = Interposed(stage)
        connector = stage.connector()
        whole_round(connector, None)
        whole_round(connector, None)
        assert [request.path for request in network.seen].count("/2/users/me") == 1

    # --- money ---------------------------------------------------------------------------------------------------------

    def _paid(self, stage: Stage, meter: CountedHere) -> int:
        return meter.add(0, budget=1, now=stage.clock.now())

    def test_every_item_is_paid_for_by_the_declared_prices(self, stage: Stage) -> None:
        meter = CountedHere()
        connector = stage.connector(options={"monthly_budget_usd": 5}, meter=meter)
        price = {price.charge: price.amount for price in connector.prices}
        stage.customer_says("nowy 1")  # under a post of the shop's
        connector.identity()
        assert self._paid(stage, meter) == price[Charge.AUTHOR_READ]
        (asked,) = customers(connector)
        after_reading = price[Charge.AUTHOR_READ] + 2 * price[Charge.OWN_READ]
        assert self._paid(stage, meter) == after_reading
        connector.fetch(None)
        assert self._paid(stage, meter) == after_reading  # once a day
        connector.reply(asked.ref, "Dziękujemy!", key="k1", sent_by=SentBy.ROBOT)
        connector.reply(asked.ref, "Szczegóły: https://example.com", key="k2", sent_by=SentBy.PERSON)
        replies = price[Charge.REPLY] + price[Charge.REPLY_WITH_LINK]
        assert self._paid(stage, meter) == after_reading + replies

    def test_at_the_limit_nothing_is_read_or_sent_any_more(self, stage: Stage) -> None:
        meter = CountedHere()
        connector = stage.connector(options={"monthly_budget_usd": 0.02}, meter=meter)
        stage.customer_says("nowy 1")
        (asked,) = customers(connector)
        meter.add(20, budget=20, now=stage.clock.now())
        for ask in (
            lambda: connector.fetch(None),
            lambda: connector.refresh([asked.ref]),
            lambda: connector.reply(asked.ref, "Dziękujemy!", key="k1", sent_by=SentBy.ROBOT),
        ):
            error = self._fails(RateLimited, ask)
            assert "this month's limit" in str(error)
        assert stage.published() == []

    # --- what an access may do -----------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("token", "granted", "problems"),
        [
            ("canary-access-token-of-x", {"read", "write"}, ()),
            ("readonly-canary-token", {"read"}, ("read-only",)),
        ],
    )
    def test_the_level_of_signed_keys_is_told_by_the_network(
        self, stage: Stage, token: str, granted: set[str], problems: tuple[str, ...]
    ) -> None:
        keys = {**self.answers, "access_token": token}
        found = stage.connector(credentials=RememberedCredentials("own", keys)).inspect()
        assert (found.granted, found.problems, found.expires_at) == (granted, problems, None)

    def test_scopes_are_known_once_the_network_renewed_the_token(self, stage: Stage) -> None:
        connector = stage.connector(credentials=RememberedCredentials("own", OAUTH2))
        found = connector.inspect()
        assert found.granted is not None
        assert not found.missing

    def test_a_token_that_nobody_renews_ends_when_it_says(self, stage: Stage) -> None:
        ends = (stage.clock.now() + timedelta(hours=1)).isoformat()
        parts = {"access_token": self.secrets["access_token"], "expires_at": ends}
        found = stage.connector(credentials=RememberedCredentials("own", parts)).inspect()
        assert found.expires_at == stage.clock.now() + timedelta(hours=1)
        assert found.granted is None and found.notes == ("permission-unknown",)


@pytest.mark.skipif(
    not DOCUMENT, reason="DYZUR_X_OPENAPI names no copy of X's OpenAPI document: nothing was judged by it"
)
class TestTheJudge:
    """A judge that finds nothing is worth nothing: it must notice what the document forbids."""

    @pytest.fixture
    def judge(self) -> OpenApiJudge:
        return OpenApiJudge(TwitterDialect(), Path(DOCUMENT), PATHS, unjudged=[])

    @pytest.fixture
    def ask(self, judge: OpenApiJudge) -> Callable[..., list[str]]:
        from tests.connectors.contract import QUIET

        world = World(start=START, options=QUIET)

        def ask(method: str, path: str, body: Any = None, **query: str) -> list[str]:
            judge.violations.clear()
            request = SimulatedRequest(
                network="twitter",
                method=method,
                path=path,
                query={name.replace("__", "."): [value] for name, value in query.items()},
                headers={"authorization": "Bearer x", "content-type": "application/json"},
                body=json.dumps(body).encode() if body is not None else b"",
                now=START,
                base_url="http://127.0.0.1/twitter",
            )
            judge.handle(request, world)
            return judge.violations

        return ask

    def test_it_lets_a_right_request_pass(self, ask: Callable[..., list[str]]) -> None:
        assert ask("GET", "/2/users/1/mentions", max_results="100", tweet__fields="id,text") == []
        assert ask("POST", "/2/tweets", {"text": "x", "reply": {"in_reply_to_tweet_id": "1"}}) == []

    def test_it_notices_a_wrong_request(self, ask: Callable[..., list[str]]) -> None:
        assert ask("GET", "/2/users/1/mentions", max_result="100")
        assert ask("GET", "/2/users/1/mentions", max_results="101")
        assert ask("GET", "/2/users/1/mentions", tweet__fields="id,txt")
        assert ask("GET", "/2/users/me", user__fields="nick")
        assert ask("GET", "/2/tweets")
        assert ask("POST", "/2/tweets", {"text": "x", "reply_to": "1"})

    def test_it_notices_a_wrong_answer(self, judge: OpenApiJudge, ask: Callable[..., list[str]]) -> None:
        class Wrong(TwitterDialect):
            def handle(self, request: SimulatedRequest, world: World) -> SimulatedResponse:
                return SimulatedResponse(body={"data": {"id": "not-a-number", "name": "x", "username": "y"}})

        judge._dialect = Wrong()
        assert ask("GET", "/2/users/me")
