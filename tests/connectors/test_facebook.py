"""The Facebook connector: the common contract, judged by Meta's own generated SDK, and what is peculiar to Facebook."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from connectors.facebook import FacebookConnector, _NotAllowed
from connectors.simulated.control import customer_posts
from connectors.simulated.facebook import APP_ID, FacebookDialect, native_id
from connectors.simulated.records import WorldPost
from connectors.simulated.server import Dialect, SimulatedRequest, SimulatedResponse
from connectors.simulated.world import World
from social.domain.errors import (
    CannotTell,
    ConnectorError,
    CredentialsExpired,
    Duplicate,
    RateLimited,
    RefusalReason,
    Refused,
    Uncertain,
    Unreachable,
)
from social.domain.post import FetchedPost, Gone, MediaKind, PostKind
from social.domain.reply import SentBy
from social.ports import Connector
from tests.connectors.contract import (
    QUIET,
    START,
    ConnectorContract,
    RememberedCredentials,
    Stage,
    numbers,
    whole_history,
    whole_round,
)
from tests.connectors.meta_contract import MetaJudge

Answer = Callable[[SimulatedRequest], SimulatedResponse | None]


class Interposed:
    """A network with something of its own before or after the simulated one."""

    def __init__(
        self,
        stage: Stage,
        *,
        instead: Answer = lambda request: None,
        after: Callable[[SimulatedRequest, SimulatedResponse], SimulatedResponse] = lambda request, response: response,
    ) -> None:
        self._dialect = stage.server.dialects["facebook"]
        self._instead, self._after = instead, after
        self.network, self.refuse = self._dialect.network, self._dialect.refuse
        self.seen: list[SimulatedRequest] = []
        stage.server.dialects["facebook"] = self

    def handle(self, request: SimulatedRequest, world: World) -> SimulatedResponse:
        self.seen.append(request)
        return self._after(request, self._instead(request) or self._dialect.handle(request, world))


def graph_error(code: int, *, subcode: int | None = None, status: int = 400, **more: Any) -> SimulatedResponse:
    error = {"message": "Something is wrong.", "type": "OAuthException", "code": code, **more}
    return SimulatedResponse(status=status, body={"error": error | ({"error_subcode": subcode} if subcode else {})})


def every(method: str, response: SimulatedResponse, *, without: str = "/me") -> Answer:
    return lambda request: response if request.method == method and not request.path.endswith(without) else None


def usage(percent: float, *, minutes: int = 0) -> dict[str, str]:
    listed = {"type": "pages", "call_count": percent, "total_time": 3, "estimated_time_to_regain_access": minutes}
    return {"x-business-use-case-usage": json.dumps({"1": [listed]})}


def customers(connector: Connector) -> list[FetchedPost]:
    return [post for post in whole_round(connector, None).posts if not post.ours]


class TestFacebook(ConnectorContract):
    kind = "facebook"
    secrets: ClassVar = {"access_token": "canary-page-token-of-meta", "app_secret": "canary-app-secret-of-meta"}
    answers: ClassVar = {"app_id": APP_ID, "app_secret": secrets["app_secret"], "user_token": "user-canary-of-meta"}

    def checked(self, dialect: Dialect) -> Dialect:
        self.judge = MetaJudge(dialect)
        return self.judge

    @pytest.fixture(autouse=True)
    def nothing_against_metas_own_sdk(self) -> Iterator[None]:
        yield
        judge = getattr(self, "judge", None)
        assert judge is None or judge.violations == []

    # --- connecting ----------------------------------------------------------------------------------------------------

    def test_a_users_short_token_becomes_a_token_for_each_page(self, stage: Stage) -> None:
        found = FacebookConnector.accesses(stage.set_up(self.answers))
        assert [access.options for access in found] == [{"page_id": access.native_id} for access in found]
        assert len(found) == 2
        assert all("-long" in access.credential["access_token"] for access in found)

    @pytest.mark.parametrize("broken", ["\ud83d", "a\nb", "ż", 7])
    def test_a_token_that_no_request_can_carry_is_none(self, stage: Stage, broken: object) -> None:
        def without_tokens(request: SimulatedRequest, response: SimulatedResponse) -> SimulatedResponse:
            body = json.loads(json.dumps(response.body))
            if "access_token" in body:
                body["access_token"] = broken
            return replace(response, body=json.dumps(body).encode())

        Interposed(stage, after=without_tokens)
        with pytest.raises(Unreachable, match="exchanged the token for nothing"):
            FacebookConnector.accesses(stage.set_up(self.answers))

    def test_with_the_app_id_the_network_says_what_the_token_may_do_and_until_when(self, stage: Stage) -> None:
        kept = RememberedCredentials("own", {**self.secrets, "app_id": APP_ID})
        found = stage.connector(credentials=kept).inspect()
        assert found.granted is not None and set(found.needed) <= found.granted
        assert found.expires_at == START + timedelta(days=90)
        assert "data-access" in found.notes

    def test_without_it_the_access_works_and_says_that_it_knows_no_more(self, stage: Stage) -> None:
        found = stage.connector().inspect()
        assert (found.granted, found.missing, found.notes) == (None, (), ("not-asked",))

    # --- reading -------------------------------------------------------------------------------------------------------

    def test_comments_visitors_posts_and_tags_are_told_apart(self, stage: Stage) -> None:
        campaign = stage.shop_post()
        said = [
            customer_posts(stage.world, "facebook", "ładne", author="ola_wrona", parent=campaign.sequence),
            customer_posts(stage.world, "facebook", "gdzie paczka?", author="beata_kuras", kind="visitor-post"),
            customer_posts(stage.world, "facebook", "polecam", author="grazyna_m", kind="tagged", photo="a.jpg"),
        ]
        comment, visitor, tagged = (self._of(stage, customers(stage.connector()), post) for post in said)
        assert (comment.kind, comment.thread_root) == (PostKind.COMMENT, native_id(stage.world, campaign))
        assert comment.in_reply_to == comment.thread_root
        assert (visitor.kind, visitor.thread_root, visitor.in_reply_to) == (
            PostKind.VISITOR_POST,
            visitor.native_id,
            None,
        )
        assert (tagged.kind, tagged.summoned) == (PostKind.TAGGED, True)
        assert [media.kind for media in tagged.media] == [MediaKind.IMAGE]
        assert comment.author.display_name == "Ola Wrona"

    def test_a_nested_comment_knows_its_parent_and_an_unknown_author_is_nobody_elses(self, stage: Stage) -> None:
        nobody = next(member.key for member in stage.world.library.members.values() if member.deleted)
        top = stage.customer_says("pytanie")
        nested = customer_posts(stage.world, "facebook", "ja też", author=nobody, parent=top.sequence)
        other = stage.customer_says("i ja", author=nobody)
        posts = customers(stage.connector())
        answer, stranger = (self._of(stage, posts, post) for post in (nested, other))
        assert answer.in_reply_to == native_id(stage.world, top)
        assert answer.author.deleted
        assert answer.author.native_id != stranger.author.native_id

    def test_follow_ups_under_a_visitors_post_and_native_answers_there_are_seen(self, stage: Stage) -> None:
        connector = stage.connector()
        visitor = customer_posts(stage.world, "facebook", "gdzie paczka?", kind="visitor-post")
        cursor = whole_round(connector, None).cursor
        stage.pass_time(minutes=5)
        customer_posts(stage.world, "facebook", "nowy 1", parent=visitor.sequence)
        stage.shop_answers_in_the_app(visitor, "Już sprawdzamy.")
        page = whole_round(connector, cursor)
        assert {post.thread_root for post in page.posts} == {native_id(stage.world, visitor)}
        assert sorted(post.ours for post in page.posts) == [False, True]

    def test_what_is_said_under_a_post_that_newer_ones_pushed_away_is_seen(self, stage: Stage) -> None:
        connector = stage.connector(options={"watched_posts": 2})
        cursor = whole_round(connector, None).cursor
        asked = customer_posts(stage.world, "facebook", "nowy: gdzie paczka?", author="ola_wrona", kind="visitor-post")
        silent = customer_posts(stage.world, "facebook", "nowy i bez słowa pod nim", author="a0", kind="visitor-post")
        cursor = whole_round(connector, cursor).cursor
        for number in range(3):
            stage.pass_time(minutes=4)
            customer_posts(stage.world, "facebook", f"nowy {number}", author=f"c{number}", kind="visitor-post")
        cursor = whole_round(connector, cursor).cursor
        said = [
            customer_posts(stage.world, "facebook", "dziękuję!", author="ola_wrona", parent=asked.sequence),
            customer_posts(stage.world, "facebook", "halo?", author="a0", parent=silent.sequence),
        ]
        stage.pass_time(minutes=11)
        page = whole_round(connector, cursor)
        assert {post.native_id for post in page.posts} == {native_id(stage.world, post) for post in said}
        assert not whole_round(connector, page.cursor).posts

    def test_a_deleted_post_hides_nothing_of_the_others_that_were_pushed_away(self, stage: Stage) -> None:
        connector = stage.connector(options={"watched_posts": 1})
        cursor = whole_round(connector, None).cursor
        old = [
            customer_posts(stage.world, "facebook", f"nowy {number}", author=f"c{number}", kind="visitor-post")
            for number in range(4)
        ]
        cursor = whole_round(connector, cursor).cursor
        stage.world.delete(old[0].sequence)
        answer = customer_posts(stage.world, "facebook", "halo?", author="c1", parent=old[1].sequence)
        stage.pass_time(minutes=11)
        page = whole_round(connector, cursor)
        assert [post.native_id for post in page.posts] == [native_id(stage.world, answer)]
        assert native_id(stage.world, old[0]) not in page.cursor["marks"]

    def test_a_post_that_may_not_be_read_hides_nothing_of_the_others_and_is_not_forgotten(self, stage: Stage) -> None:
        connector = stage.connector(options={"watched_posts": 1})
        cursor = whole_round(connector, None).cursor
        old = []
        for number in range(4):
            stage.pass_time(minutes=4)
            author = f"c{number}"
            old.append(customer_posts(stage.world, "facebook", f"nowy {number}", author=author, kind="visitor-post"))
        cursor = whole_round(connector, cursor).cursor
        said = [
            customer_posts(stage.world, "facebook", "halo?", author=f"c{number}", parent=old[number].sequence)
            for number in range(2)
        ]
        forbidden = native_id(stage.world, old[0])
        dialect = stage.server.dialects["facebook"]
        Interposed(stage, instead=lambda r: graph_error(10) if forbidden in (r.param("ids") or "") else None)
        stage.pass_time(minutes=11)
        page = whole_round(connector, cursor)
        assert [post.native_id for post in page.posts] == [native_id(stage.world, said[1])]
        stage.server.dialects["facebook"] = dialect
        stage.pass_time(minutes=11)
        assert [post.native_id for post in whole_round(connector, page.cursor).posts] == [
            native_id(stage.world, said[0])
        ]

    def test_a_post_that_may_not_be_read_is_not_taken_for_deleted(
        self, stage: Stage, caplog: pytest.LogCaptureFixture
    ) -> None:
        connector = stage.connector()
        for number in range(3):
            stage.customer_says(f"nowy {number}", author=f"c{number}")
        posts = customers(connector)
        forbidden = posts[1].native_id
        Interposed(stage, instead=lambda r: graph_error(200) if forbidden in (r.param("ids") or "") else None)
        for _ in range(3):
            assert connector.refresh([post.ref for post in posts]).keys() == {posts[0].native_id, posts[2].native_id}
        told = [
            record for record in caplog.records if record.levelno == logging.WARNING and forbidden in record.message
        ]
        assert len(told) == 1  # not with every look

    def test_the_past_is_read_on_behind_a_post_that_may_not_be_read(self, stage: Stage) -> None:
        said = [stage.customer_says(f"nowy {number}", author=f"c{number}") for number in range(40)]
        forbidden = native_id(stage.world, stage.shop_post())
        customer_posts(stage.world, "facebook", "nowy 100", author="ola_wrona", kind="visitor-post")

        def refused(request: SimulatedRequest) -> SimulatedResponse | None:
            return graph_error(10) if request.path.endswith(f"/{forbidden}/comments") else None

        network = Interposed(stage, instead=refused)
        read = numbers(whole_history(stage.connector, START - timedelta(days=1)))
        assert 100 in read and len(set(read)) == 26 < len(said)
        assert [request for request in network.seen if refused(request)]

    def test_nobody_looks_for_ever_under_a_post_where_all_is_said(self, stage: Stage) -> None:
        connector = stage.connector(options={"watched_posts": 1})
        cursor = whole_round(connector, None).cursor
        for number in range(3):
            customer_posts(stage.world, "facebook", f"nowy {number}", author=f"c{number}", kind="visitor-post")
        cursor = whole_round(connector, cursor).cursor
        stage.pass_time(minutes=60 * 24 * 15)
        network = Interposed(stage)
        whole_round(connector, cursor)
        assert not [request for request in network.seen if request.param("ids")]

    def test_many_visitors_posts_at_once_are_all_read(self, stage: Stage) -> None:
        connector = stage.connector(options={"watched_posts": 10})
        cursor = whole_round(connector, None).cursor
        for number in range(64):
            stage.pass_time(minutes=4)
            customer_posts(stage.world, "facebook", f"nowy {number}", author=f"c{number}", kind="visitor-post")
        page = whole_round(connector, cursor)
        assert sorted(numbers(page)) == list(range(64))
        assert numbers(whole_round(connector, page.cursor)) == []

    def test_a_comment_that_appears_late_is_still_found(self, stage: Stage) -> None:
        connector = stage.connector()
        stage.customer_says("nowy 0")
        cursor = whole_round(connector, None).cursor
        stage.pass_time(minutes=5)
        late = stage.customer_says("nowy 1")
        stage.pass_time(seconds=40)
        stage.customer_says("nowy 2")
        hidden = native_id(stage.world, late)

        def without(request: SimulatedRequest, response: SimulatedResponse) -> SimulatedResponse:
            body = json.loads(json.dumps(response.body))
            for post in body.get("data", ()):
                listed = post.get("comments", {})
                listed["data"] = [item for item in listed.get("data", ()) if item["id"] != hidden]
            return replace(response, body=body)

        network = stage.server.dialects["facebook"]
        Interposed(stage, after=without)
        first = whole_round(connector, cursor)
        stage.server.dialects["facebook"] = network
        assert (numbers(first), numbers(whole_round(connector, first.cursor))) == ([2], [1])

    def test_a_quiet_page_costs_three_requests(self, stage: Stage) -> None:
        connector = stage.connector()
        stage.customer_says("nowy 1")
        cursor = whole_round(connector, None).cursor
        network = Interposed(stage)
        whole_round(connector, cursor)
        assert [request.path.rpartition("/")[2] for request in network.seen] == [
            "published_posts",
            "visitor_posts",
            "tagged",
        ]
        quiet = stage.connector(options={"visitor_posts": False, "tagged": False})
        quiet.identity()
        network.seen.clear()
        whole_round(quiet, None)
        assert len(network.seen) == 1

    def test_every_call_carries_the_proof_and_the_version(self, stage: Stage) -> None:
        network = Interposed(stage)
        connector = stage.connector(graph_version="v26.0")
        stage.customer_says("nowy 1")
        (post,) = customers(connector)
        connector.reply(post.ref, "Hej", key="k", sent_by=SentBy.PERSON)
        for request in network.seen:
            given = (
                request.form() if request.method == "POST" else {key: value[0] for key, value in request.query.items()}
            )
            assert request.path.startswith("/v26.0/")
            assert len(given["appsecret_proof"]) == 64

    def test_the_cursor_holds_no_token(self, stage: Stage) -> None:
        connector = stage.connector()
        cursor = whole_round(connector, None).cursor
        for number in range(60):
            stage.pass_time(minutes=3)
            stage.customer_says(f"nowy {number}")
        page = connector.fetch(cursor)
        assert page.more
        assert not self._tells_a_secret(json.dumps(page.cursor))

    def test_a_token_of_another_page_is_refused(self, stage: Stage) -> None:
        connector = stage.connector(options={"page_id": "1"})
        assert "page 1" in str(self._fails(CredentialsExpired, connector.identity))

    def test_a_lost_permission_does_not_look_as_if_everybody_had_deleted_everything(self, stage: Stage) -> None:
        connector = stage.connector()
        stage.customer_says("nowy 1")
        (post,) = customers(connector)

        def blind(request: SimulatedRequest) -> SimulatedResponse | None:
            edge = request.path.endswith("published_posts")
            return graph_error(10) if edge else graph_error(100, subcode=33)

        Interposed(stage, instead=blind)
        self._fails(CredentialsExpired, lambda: connector.refresh([post.ref]))

    def test_a_lost_permission_for_users_words_is_no_deletion(self, stage: Stage) -> None:
        """The page's own posts stay readable, without what is said under them."""
        connector = stage.connector()
        for number in range(3):
            stage.customer_says(f"nowy {number}", author=f"c{number}")
        posts = customers(connector)

        def blind(request: SimulatedRequest) -> SimulatedResponse | None:
            return graph_error(100, subcode=33) if request.param("ids") is not None else None

        def without_users(request: SimulatedRequest, response: SimulatedResponse) -> SimulatedResponse:
            body = json.loads(json.dumps(response.body))
            for item in body.get("data", ()):
                item.pop("comments", None)
            return replace(response, body=body)

        Interposed(stage, instead=blind, after=without_users)
        assert connector.refresh([post.ref for post in posts]) == {}

    def test_missing_posts_that_the_page_still_shows_are_no_deletions(self, stage: Stage) -> None:
        connector = stage.connector()
        stage.customer_says("nowy 1")
        posts = customers(connector)
        Interposed(
            stage, instead=lambda request: graph_error(100, subcode=33) if request.param("ids") is not None else None
        )
        assert connector.refresh([post.ref for post in posts]) == {}

    @pytest.mark.parametrize("other", ["comment", "visitor-post"])
    def test_a_single_deleted_post_is_gone_where_somebody_elses_words_are_readable(
        self, stage: Stage, other: str
    ) -> None:
        connector = stage.connector()
        said = stage.customer_says("nowy 1")
        (post,) = customers(connector)
        if other == "comment":
            stage.customer_says("nowy 2", author="beata_kuras")
        else:
            customer_posts(stage.world, "facebook", "nowy 2", author="beata_kuras", kind="visitor-post")
        stage.world.delete(said.sequence)
        assert isinstance(connector.refresh([post.ref])[post.native_id], Gone)

    @pytest.mark.parametrize("granted", [True, False])
    def test_the_only_words_on_the_page_are_gone_where_the_token_says_that_it_may_read_users(
        self, stage: Stage, granted: bool
    ) -> None:
        kept = RememberedCredentials("own", {**self.secrets, "app_id": APP_ID})
        connector = stage.connector(credentials=kept)
        said = stage.customer_says("nowy 1")
        (post,) = customers(connector)
        stage.world.delete(said.sequence)
        if not granted:
            token = {"is_valid": True, "scopes": ["pages_read_engagement", "pages_manage_engagement"]}
            told = SimulatedResponse(body={"data": token})
            Interposed(stage, instead=lambda request: told if request.path.endswith("/debug_token") else None)
        assert [type(found) for found in connector.refresh([post.ref]).values()] == [Gone] * granted

    def test_nobody_knows_whether_the_only_words_are_gone_where_the_token_cannot_be_asked_about(
        self, stage: Stage
    ) -> None:
        connector = stage.connector()
        said = stage.customer_says("nowy 1")
        (post,) = customers(connector)
        stage.world.delete(said.sequence)
        assert connector.refresh([post.ref]) == {}
        assert not connector.can_reply(post.ref).allowed

    def test_many_posts_are_refreshed_and_one_missing_spoils_none(self, stage: Stage) -> None:
        connector = stage.connector()
        visitor = customer_posts(stage.world, "facebook", "nowy 100", kind="visitor-post")
        for number in range(70):
            stage.customer_says(f"nowy {number}", author=f"c{number}")
        cursor = {"floor": "2026-01-01T00:00:00+00:00", "marks": {}, "pending": []}
        posts = [post for post in whole_round(connector, cursor).posts if not post.ours]
        gone = next(post for post in posts if post.text == "nowy 7")
        stage.world.delete(next(post.sequence for post in stage.world.posts("facebook") if post.text == "nowy 7"))
        state = connector.refresh([post.ref for post in posts])
        assert len(state) == 71
        assert [native for native, found in state.items() if isinstance(found, Gone)] == [gone.native_id]
        kept = state[native_id(stage.world, visitor)]
        assert isinstance(kept, FetchedPost)
        assert kept.kind is PostKind.VISITOR_POST

    def _of(self, stage: Stage, posts: list[FetchedPost], said: WorldPost) -> FetchedPost:
        return next(post for post in posts if post.native_id == native_id(stage.world, said))

    # --- replying ------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("code", "subcode", "kind", "reason"),
        [
            (1, None, Uncertain, None),
            (2, None, Uncertain, None),
            (506, None, Duplicate, None),
            (4, None, RateLimited, None),
            (32, None, RateLimited, None),
            (613, None, RateLimited, None),
            (80001, None, RateLimited, None),
            (190, 463, CredentialsExpired, None),
            (102, None, CredentialsExpired, None),
            (100, 33, Refused, RefusalReason.GONE),
            (803, None, Refused, RefusalReason.GONE),
            (10, None, Refused, RefusalReason.PERMISSION),
            (200, None, Refused, RefusalReason.PERMISSION),
            (299, None, Refused, RefusalReason.PERMISSION),
            (368, None, Refused, RefusalReason.ABUSE),
            (100, None, Refused, RefusalReason.INVALID),
        ],
    )
    def test_metas_codes_become_errors_of_a_reply(
        self,
        stage: Stage,
        code: int,
        subcode: int | None,
        kind: type[ConnectorError],
        reason: RefusalReason | None,
    ) -> None:
        connector = stage.connector()
        stage.customer_says("nowy 1")
        (post,) = customers(connector)
        Interposed(stage, instead=every("POST", graph_error(code, subcode=subcode)))
        error = self._fails(kind, lambda: connector.reply(post.ref, "Hej", key="k", sent_by=SentBy.ROBOT))
        assert type(error) is kind
        assert getattr(error, "reason", None) is reason

    @pytest.mark.parametrize(
        ("response", "over"),
        [
            (graph_error(2, status=500), True),
            (graph_error(-1, status=500), True),
            (graph_error(100, status=500), True),
            (graph_error(100, subcode=33, status=503), True),
            (graph_error(200, status=502), True),
            (graph_error(368, status=500), True),
            (graph_error(12, status=504), False),
            (graph_error(100, status=408), False),
            (graph_error(-1, status=400), True),
            (SimulatedResponse(status=502, body={"error": "something broke"}), True),
            (SimulatedResponse(status=503, body=b"<html>", content_type="text/html"), True),
            (graph_error(2, status=504), False),
            (SimulatedResponse(status=504, body={"error": "something broke"}), False),
        ],
    )
    def test_what_broke_is_no_refusal_and_only_a_gateway_that_lost_its_patience_leaves_a_reply_on_its_way(
        self, stage: Stage, response: SimulatedResponse, over: bool
    ) -> None:
        connector = stage.connector()
        stage.customer_says("nowy 1")
        (post,) = customers(connector)
        Interposed(stage, instead=every("POST", response))
        with pytest.raises(Uncertain) as caught:
            connector.reply(post.ref, "Hej", key="k", sent_by=SentBy.ROBOT)
        assert caught.value.over is over

    @pytest.mark.parametrize(
        ("response", "kind"),
        [
            (graph_error(506, status=500), Duplicate),
            (graph_error(32, status=500), RateLimited),
            (graph_error(190, status=500), CredentialsExpired),
        ],
    )
    def test_a_broken_network_that_still_says_what_it_means_is_heard(
        self, stage: Stage, response: SimulatedResponse, kind: type[ConnectorError]
    ) -> None:
        connector = stage.connector()
        stage.customer_says("nowy 1")
        (post,) = customers(connector)
        Interposed(stage, instead=every("POST", response))
        assert type(self._fails(kind, lambda: connector.reply(post.ref, "Hej", key="k", sent_by=SentBy.ROBOT))) is kind

    @pytest.mark.parametrize(
        ("response", "kind"),
        [
            (graph_error(1), Unreachable),
            (graph_error(17), RateLimited),
            (graph_error(190, subcode=460), CredentialsExpired),
            (graph_error(10), _NotAllowed),
            (graph_error(368), CredentialsExpired),
            (graph_error(12), Unreachable),
            (graph_error(999, is_transient=True), Unreachable),
            (SimulatedResponse(status=500, body={"error": "no object"}), Unreachable),
            (
                SimulatedResponse(status=200, body={"error": {"code": 190, "message": "with a friendly 200"}}),
                CredentialsExpired,
            ),
            (SimulatedResponse(status=200, body=b"[]"), Unreachable),
        ],
    )
    def test_metas_codes_become_errors_of_a_read(
        self, stage: Stage, response: SimulatedResponse, kind: type[ConnectorError]
    ) -> None:
        connector = stage.connector()
        connector.identity()
        Interposed(stage, instead=every("GET", response))
        assert type(self._fails(kind, lambda: connector.fetch(None))) is kind

    def test_a_comment_that_the_page_may_not_answer_is_told_before(self, stage: Stage) -> None:
        said = stage.customer_says("nowy 1")
        (post,) = customers(stage.connector())
        stage.world.disable_replies(said.sequence)
        assert not stage.connector().can_reply(post.ref).allowed

    def test_a_visitors_post_and_a_nested_comment_are_answered_where_they_stand(self, stage: Stage) -> None:
        connector = stage.connector()
        visitor = customer_posts(stage.world, "facebook", "gdzie paczka?", kind="visitor-post")
        nested = customer_posts(
            stage.world, "facebook", "ja też pytam", author="beata_kuras", parent=stage.customer_says("x").sequence
        )
        posts = customers(connector)
        for said in (visitor, nested):
            post = self._of(stage, posts, said)
            receipt = connector.reply(post.ref, f"Do {said.sequence}", key="k", sent_by=SentBy.ROBOT)
            found = connector.find_own_reply(post.ref, f"Do {said.sequence}", key="k")
            assert found is not None
            assert found.native_id == receipt.native_id
            assert receipt.native_id in [item.native_id for item in connector.thread(post.ref) if item.ours]

    def test_the_same_words_to_somebody_else_in_the_thread_are_not_adopted(self, stage: Stage) -> None:
        connector = stage.connector()
        top = stage.customer_says("pytanie")
        first, second = (
            customer_posts(stage.world, "facebook", "ja też", author=name, parent=top.sequence)
            for name in ("beata_kuras", "grazyna_m")
        )
        posts = customers(connector)
        one, other = (self._of(stage, posts, said) for said in (first, second))
        connector.reply(one.ref, "Dziękujemy!", key="k1", sent_by=SentBy.ROBOT)
        assert connector.find_own_reply(other.ref, "Dziękujemy!", key="k2") is None
        asker = self._of(stage, posts, top)
        connector.reply(asker.ref, "Dziękujemy!", key="k3", sent_by=SentBy.ROBOT)
        with pytest.raises(CannotTell):
            connector.find_own_reply(other.ref, "Dziękujemy!", key="k2")

    def test_a_look_up_under_a_vanished_comment_is_no_proof_of_absence(self, stage: Stage) -> None:
        connector = stage.connector()
        said = stage.customer_says("pytanie")
        (post,) = customers(connector)
        stage.world.delete(said.sequence)
        with pytest.raises(CannotTell):
            connector.find_own_reply(post.ref, "Dziękujemy!", key="k")
        assert connector.thread(post.ref) == ()

    # --- limits --------------------------------------------------------------------------------------------------------

    def test_reading_news_pauses_at_95_percent_and_answering_does_not(self, stage: Stage) -> None:
        connector = stage.connector()
        stage.customer_says("nowy 1")
        (post,) = customers(connector)
        Interposed(stage, after=lambda request, response: replace(response, headers=usage(96, minutes=20)))
        connector.fetch(None)
        error = self._fails(RateLimited, lambda: connector.fetch(None))
        assert isinstance(error, RateLimited)
        assert (error.until, error.scope) == (START + timedelta(minutes=20), "business:pages")
        self._fails(RateLimited, lambda: connector.history(START, None))
        assert post.native_id in connector.refresh([post.ref])
        assert connector.can_reply(post.ref).allowed
        assert connector.reply(post.ref, "Hej", key="k", sent_by=SentBy.ROBOT).native_id
        stage.pass_time(minutes=40)
        assert connector.fetch(None).posts

    def test_our_own_reserve_stops_reading_only(self, stage: Stage) -> None:
        connector = stage.connector()
        Interposed(stage, after=lambda request, response: replace(response, headers=usage(96, minutes=20)))
        connector.identity()
        (quota,) = connector.quota()
        assert (quota.stops, quota.remaining, quota.resets_at) == ("read", 0, START + timedelta(minutes=20))

    def test_usage_from_80_percent_is_told_once(self, stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
        connector = stage.connector()
        Interposed(stage, after=lambda request, response: replace(response, headers=usage(81)))
        with caplog.at_level(logging.WARNING, logger="connectors.facebook"):
            whole_round(connector, None)
        assert [record.getMessage() for record in caplog.records if "81 %" in record.getMessage()] == [
            'profile "sklep": 81 % of the network\'s limit (business:pages) is used.'
        ]
        (quota,) = connector.quota()
        assert (quota.scope, quota.used_percent) == ("business:pages", 81.0)

    @pytest.mark.parametrize(
        "told", ["", "{", "[]", '{"1": {}}', '{"1": [7]}', '{"1": [{"call_count": "x"}]}', "[" * 5000]
    )
    def test_a_broken_usage_header_harms_nobody(self, stage: Stage, told: str) -> None:
        connector = stage.connector()
        headers = {"x-app-usage": told, "x-business-use-case-usage": told, "x-page-usage": told}
        Interposed(stage, after=lambda request, response: replace(response, headers=headers))
        assert connector.fetch(None) is not None
        assert connector.quota() == ()

    def test_the_end_of_a_throttle_is_metas_own_estimate(self, stage: Stage) -> None:
        connector = stage.connector()
        connector.identity()
        throttled = replace(graph_error(80001), headers=usage(100, minutes=42))
        Interposed(stage, instead=every("GET", throttled))
        error = self._fails(RateLimited, lambda: connector.fetch(None))
        assert isinstance(error, RateLimited)
        assert error.until == START + timedelta(minutes=42)


class TestTheJudge:
    """A judge that finds nothing is worth nothing: it must notice what Meta's SDK does not know."""

    @pytest.fixture
    def ask(self) -> Callable[..., list[str]]:
        world = World(start=START, options=QUIET)
        with world.lock:
            post = world.publish("facebook", world.brand("facebook"), "Nowy zapach.")
            comment = world.publish("facebook", world.open_account("facebook", "ola_wrona"), "ładny", post.sequence)
        judge = MetaJudge(FacebookDialect())
        judge._types |= {native_id(world, post): "PagePost", native_id(world, comment): "Comment"}
        places = {"POST": native_id(world, post), "COMMENT": native_id(world, comment)}

        def ask(method: str, path: str, **given: str) -> list[str]:
            judge.violations.clear()
            given |= {"access_token": "x", "appsecret_proof": "0" * 64}
            for name, place in places.items():
                path = path.replace(name, place)
            request = SimulatedRequest(
                network="facebook",
                method=method,
                path=f"/v25.0/{path}",
                query={} if method == "POST" else {name: [value] for name, value in given.items()},
                headers={},
                body="&".join(f"{name}={value}" for name, value in given.items()).encode() if method == "POST" else b"",
                now=START,
                base_url="http://127.0.0.1/facebook",
            )
            judge.handle(request, world)
            return judge.violations

        return ask

    def test_it_lets_a_right_request_pass(self, ask: Callable[..., list[str]]) -> None:
        assert ask("GET", "POST/comments", filter="stream", fields="id,message,parent{id}", limit="5") == []
        assert ask("GET", "me/published_posts", fields="id,comments.order(reverse_chronological).limit(1){id}") == []
        assert ask("POST", "COMMENT/comments", message="x") == []

    def test_it_notices_a_wrong_request(self, ask: Callable[..., list[str]]) -> None:
        assert ask("GET", "POST/comments", filtr="stream")
        assert ask("GET", "POST/comments", filter="streem")
        assert ask("GET", "POST/comments", fields="id,mesage")
        assert ask("GET", "POST/comments", fields="id,parent{no_such}")
        assert ask("GET", "me/published_posts", fields="id,comments.order(newest){id}")
        assert ask("GET", "me/published_posts", fields="comments{no_such}")
        assert ask("GET", "POST/private_replies")
        assert ask("POST", "COMMENT/private_replies", message="x")
        assert ask("POST", "COMMENT/comments", mesage="x")

    def test_it_notices_a_wrong_answer(self) -> None:
        judge = MetaJudge(FacebookDialect())
        judge._judge_item("Comment", {"id": "1", "message": True})
        judge._judge_item("Comment", {"id": "1", "edited": True})
        assert len(judge.violations) == 2


def test_the_class_is_the_one_that_the_registry_finds() -> None:
    from connectors import registry

    assert registry.load("facebook") is FacebookConnector
