"""What the simulated world promises: the same again for the same seed, and people who behave like people."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.simulated.arrivals import speaks_as_woman
from connectors.simulated.library import (
    CustomerText,
    Later,
    Library,
    Member,
    NetworkPlan,
    SceneItem,
    ShopText,
    WorldOptions,
    load_library,
)
from connectors.simulated.limits import RateLimits
from connectors.simulated.world import BRAND, DuplicateKey, UnknownPost, World, WorldError, WorldPost, described
from social.domain.errors import ConfigurationError
from social.domain.post import PostKind

FRIDAY = datetime(2026, 11, 20, 15, 30, tzinfo=ZoneInfo("Europe/Warsaw"))
QUIET = WorldOptions(posts_per_day=0, history_posts_per_day=0, history_days=1, outage="none", scene=False)
HOUR = timedelta(hours=1)

TWITTER = NetworkPlan(
    name="twitter",
    share=0.35,
    brand_handle="lawenda",
    handle="{handle}",
    ways={PostKind.MENTION: 0.6, PostKind.REPLY: 0.3, PostKind.QUOTE: 0.1},
    conversation=PostKind.REPLY,
    address={PostKind.MENTION: "@{brand} {text}", PostKind.REPLY: "@{brand} {text}"},
)
FACEBOOK = NetworkPlan(
    name="facebook",
    share=0.40,
    brand_handle="sklep.lawenda",
    handle="{handle}",
    ways={PostKind.COMMENT: 0.8, PostKind.VISITOR_POST: 0.12, PostKind.TAGGED: 0.08},
    conversation=PostKind.COMMENT,
    address={},
)
BLUESKY = NetworkPlan(
    name="bluesky",
    share=0.25,
    brand_handle="lawenda.test",
    handle="{handle}.test",
    ways={PostKind.MENTION: 0.5, PostKind.REPLY: 0.5},
    conversation=PostKind.REPLY,
    address={PostKind.MENTION: "@{brand} {text}"},
)


def member(key: str, language: str = "pl", *, line: str | None = None) -> Member:
    return Member(
        key=key, name=key, handle=key, language=language, joined=date(2015, 5, 5), is_bot=line is not None, line=line
    )


CAST = {m.key: m for m in (member("ola"), member("tomek"), member("emily", "en"), member("robot", line="Wkrótce!"))}

TEXTS = (
    *(CustomerText(key=f"q{n}", language="pl", role="question", text=f"Pytanie numer {n}?") for n in range(12)),
    *(CustomerText(key=f"e{n}", language="en", role="question", text=f"Question number {n}?") for n in range(4)),
    CustomerText(
        key="ask", language="pl", role="complaint", text="Nie doszło.", author="ola", thanks="Dziękuję, jest!",
        follow_ups=(Later(after=timedelta(minutes=3), text="nr 48213"),),
    ),
    CustomerText(key="again", language="pl", role="repeat", text="To znowu ja.", author="ola", repeat_of="ask"),
    CustomerText(key="fix", language="pl", role="praise", text="Supre!",
                 edit=Later(after=timedelta(minutes=2), text="Super!")),
    CustomerText(key="gone", language="pl", role="chatter", text="Nieważne", delete_after=timedelta(minutes=5)),
    CustomerText(key="own", language="pl", role="native_answered", text="Czy pies może wejść?",
                 owner_answer=Later(after=timedelta(minutes=7), text="Może! Hanna"), thanks="Super"),
    CustomerText(key="bot", language="pl", role="bot", text="Dziękujemy za kontakt!", author="robot"),
    CustomerText(key="aside", language="pl", role="mention_only", text="Gośka, to ten sklep"),
    *(CustomerText(key=f"o{n}", language="pl", role="outage", text=f"Blik nie działa {n}") for n in range(15)),
)  # fmt: skip

#: Keys of what is said first, not in answer to anything.
FIRST = {text.key for text in TEXTS if text.role != "repeat"}

LIBRARY = Library(
    shop_name="Sklep Lawenda",
    owner="Hanna",
    members=CAST,
    texts=TEXTS,
    shop_texts=(
        ShopText(key="s1", language="pl", text="Nowe mydło."),
        ShopText(key="s2", language="pl", text="Kiermasz!"),
    ),
    networks={plan.name: plan for plan in (TWITTER, FACEBOOK, BLUESKY)},
    given_names={"pl_f": ("Ewa", "Łucja"), "pl_m": ("Adam", "Jan"), "en_f": ("Kate", "Mia"), "en_m": ("Sam", "Ben")},
)


def scene_world(*keys: str, network: str = "twitter", **options: object) -> World:
    """A quiet world in which only these texts are said, one minute after the start and a minute apart."""
    scene = tuple(
        SceneItem(after=timedelta(minutes=n), network=network, key=key) for n, key in enumerate(keys, start=1)
    )
    return World(start=FRIDAY, options=replace(QUIET, scene=True, **options), library=replace(LIBRARY, scene=scene))


def the_post(world: World, key: str, network: str = "twitter") -> WorldPost:
    (found,) = [post for post in world.posts(network, deleted=True) if post.text_key == key]
    return found


def snapshot(world: World) -> list[dict[str, object]]:
    return [described(post) for network in world.networks for post in world.posts(network, deleted=True)]


# --- the same again -----------------------------------------------------------------------------------------------


def test_it_is_the_same_world_for_the_same_seed_and_another_for_another() -> None:
    worlds = [World(start=FRIDAY, options=WorldOptions(seed=seed), library=LIBRARY) for seed in (1, 1, 2)]
    for world in worlds:
        world.advance(FRIDAY + timedelta(hours=20))
    assert snapshot(worlds[0]) == snapshot(worlds[1])
    assert snapshot(worlds[0]) != snapshot(worlds[2])


def test_it_does_not_matter_in_what_steps_time_passes() -> None:
    jumped, walked = (World(start=FRIDAY, library=LIBRARY) for _ in range(2))
    jumped.advance(FRIDAY + timedelta(days=2))
    for minutes in range(0, 2 * 24 * 60 + 1, 7):
        walked.advance(FRIDAY + timedelta(minutes=minutes))
    walked.advance(FRIDAY + timedelta(days=2))
    assert snapshot(jumped) == snapshot(walked)


def test_it_comes_back_from_its_history_with_our_replies_and_all_that_followed() -> None:
    events: list[dict[str, object]] = []
    first = World(start=FRIDAY, library=LIBRARY, record=lambda event: events.append(dict(event)))
    for minutes in range(0, 600, 10):
        first.advance(FRIDAY + timedelta(minutes=minutes))
        for network in first.networks:
            waiting = [post for post in first.posts(network) if not post.ours and not first.replies(post.sequence)]
            brand = first.brand(network)
            first.publish(
                network, brand, "To automatyczna odpowiedź.", waiting[-1].sequence, key=f"k{network}{minutes}"
            )
            first.publish(network, brand, "Już odpisuję, Anna", waiting[-2].sequence, via="native")
    first.edit(first.posts("facebook")[-3].sequence, "poprawione")
    first.delete(first.posts("bluesky")[-2].sequence)
    first.block("bluesky", "ola")
    first.disable_replies(first.posts("twitter")[-1].sequence)
    first.advance(FRIDAY + timedelta(hours=11))

    again: list[dict[str, object]] = []
    second = World(start=FRIDAY, library=LIBRARY, record=lambda event: again.append(dict(event)))
    second.restore(events)
    assert again == []
    first.advance(FRIDAY + timedelta(hours=30))
    second.advance(FRIDAY + timedelta(hours=30))
    assert snapshot(first) == snapshot(second)
    assert second.blocked(second.open_account("bluesky", "ola"))
    assert again == events[-len(again) :]


def test_it_refuses_a_time_without_a_zone() -> None:
    with pytest.raises(ValueError, match="aware"):
        World(start=datetime(2026, 11, 20), library=LIBRARY)  # noqa: DTZ001 that is the point


def test_it_never_goes_back() -> None:
    world = scene_world()
    world.advance(FRIDAY + HOUR)
    world.advance(FRIDAY)
    assert world.now == FRIDAY + HOUR


# --- the proportions ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def month() -> list[WorldPost]:
    """Customers' first posts of four live weeks."""
    options = WorldOptions(history_days=1, outage="none", scene=False)
    world = World(start=FRIDAY, options=options, library=LIBRARY)
    world.advance(FRIDAY + timedelta(days=28))
    posts = [post for network in world.networks for post in world.posts(network, deleted=True)]
    return [post for post in posts if post.text_key in FIRST and post.created_at >= FRIDAY]


def test_it_posts_at_night_and_at_weekends_as_people_do(month: list[WorldPost]) -> None:
    local = [post.created_at.astimezone(ZoneInfo("Europe/Warsaw")) for post in month]
    assert sum(at.hour >= 22 or at.hour < 6 for at in local) / len(local) == pytest.approx(0.14, abs=0.012)
    assert sum(at.weekday() >= 5 for at in local) / len(local) == pytest.approx(0.29, abs=0.015)


def test_it_keeps_the_rate_the_languages_and_the_networks(month: list[WorldPost]) -> None:
    assert len(month) / 28 == pytest.approx(400, rel=0.05)
    assert sum(post.language == "pl" for post in month) / len(month) == pytest.approx(0.80, abs=0.02)
    shares = Counter(post.network for post in month)
    assert {network: round(count / len(month), 2) for network, count in shares.items()} == pytest.approx(
        {"twitter": 0.35, "facebook": 0.40, "bluesky": 0.25}, abs=0.02
    )


def test_it_lets_nobody_say_the_same_twice_within_a_week(month: list[WorldPost]) -> None:
    said: dict[tuple[str, str | None], list[datetime]] = defaultdict(list)
    for post in month:
        said[post.author.key, post.text_key].append(post.created_at)
    assert any(len(times) > 1 for times in said.values())
    for times in said.values():
        ordered = sorted(times)
        assert all(later - earlier >= timedelta(days=7) for earlier, later in pairwise(ordered))


def test_it_is_calmer_before_the_start_than_after_it() -> None:
    world = World(start=FRIDAY, options=WorldOptions(outage="none", scene=False), library=LIBRARY)
    before = len([post for network in world.networks for post in world.posts(network)])
    world.advance(FRIDAY + timedelta(days=14))
    after = len([post for network in world.networks for post in world.posts(network)])
    assert 14 * 40 < before < 14 * 110
    assert after - before > 14 * 300


def test_it_breaks_the_payments_for_an_hour_when_told_to() -> None:
    world = World(start=FRIDAY, options=replace(QUIET, outage=3.0), library=LIBRARY)
    world.advance(FRIDAY + timedelta(hours=3))
    complaints = [p for network in world.networks for p in world.posts(network) if (p.text_key or "").startswith("o")]
    assert complaints == []
    world.advance(FRIDAY + timedelta(hours=4))
    complaints = [p for network in world.networks for p in world.posts(network) if (p.text_key or "").startswith("o")]
    assert len(complaints) == 15


def test_it_breaks_the_payments_once_within_three_days_by_itself() -> None:
    world = World(start=FRIDAY, options=replace(QUIET, outage="seeded"), library=LIBRARY)
    world.advance(FRIDAY + timedelta(days=4))
    times = sorted(p.created_at for network in world.networks for p in world.posts(network) if not p.ours)
    assert len(times) == 15
    assert times[-1] - times[0] <= HOUR


# --- how people behave --------------------------------------------------------------------------------------------


def test_it_addresses_the_shop_as_each_network_does() -> None:
    for network, handle in (("twitter", "@lawenda "), ("facebook", "")):
        world = scene_world("q1", network=network)
        world.advance(FRIDAY + HOUR)
        post = the_post(world, "q1", network)
        if post.kind is not PostKind.QUOTE:
            assert post.text == f"{handle}Pytanie numer 1?"
        assert post.mentions_brand is (network == "twitter" and post.kind is not PostKind.QUOTE)


def test_it_names_the_shop_only_along_where_the_post_is_for_others() -> None:
    world = scene_world("aside")
    world.advance(FRIDAY + HOUR)
    assert the_post(world, "aside").text == "Gośka, to ten sklep @lawenda"
    facebook = scene_world("aside", network="facebook")
    facebook.advance(FRIDAY + HOUR)
    assert facebook.tagged("facebook") == [the_post(facebook, "aside", "facebook")]


def test_it_puts_comments_replies_and_quotes_at_posts_of_the_shop() -> None:
    world = World(start=FRIDAY, options=WorldOptions(outage="none", scene=False), library=LIBRARY)
    comments = [post for post in world.posts("facebook") if post.kind is PostKind.COMMENT and post.text_key in FIRST]
    quotes = world.quotes("twitter")
    assert comments
    assert quotes
    roots = {post.sequence for post in world.brand_posts("facebook")}
    assert {post.root for post in comments} <= roots
    assert {post.quoted for post in quotes} <= {post.sequence for post in world.brand_posts("twitter")}
    assert all(post.parent is None and post.root == post.sequence for post in quotes)


def test_it_follows_up_in_the_same_thread() -> None:
    world = scene_world("ask")
    world.advance(FRIDAY + timedelta(minutes=30))
    first = the_post(world, "ask")
    (more,) = world.replies(first.sequence)
    assert more.text == "@lawenda nr 48213"
    assert (more.author, more.root, more.kind) == (first.author, first.root, PostKind.REPLY)
    assert more.created_at - first.created_at == timedelta(minutes=3)


def test_it_asks_again_only_while_nobody_answered() -> None:
    waiting, answered, acknowledged = (scene_world("ask") for _ in range(3))
    for world, words in ((answered, "Już sprawdzam, Anna"), (acknowledged, "Odpowiedź automatyczna.")):
        world.advance(FRIDAY + timedelta(minutes=20))
        world.publish("twitter", world.brand("twitter"), words, the_post(world, "ask").sequence)
    for world, times in ((waiting, 1), (answered, 0), (acknowledged, 1)):
        world.advance(FRIDAY + timedelta(hours=4))
        assert [post.text_key for post in world.posts("twitter")].count("again") == times


def test_it_thanks_a_person_once_and_a_robot_never() -> None:
    world = scene_world("ask")
    world.advance(FRIDAY + timedelta(minutes=10))
    first, brand = the_post(world, "ask"), world.brand("twitter")
    world.publish("twitter", brand, "To automatyczne potwierdzenie.", first.sequence)
    world.advance(FRIDAY + timedelta(minutes=50))
    assert not any("Dziękuję, jest!" in post.text for post in world.posts("twitter"))
    follow_up = world.replies(first.sequence)[0]
    answer = world.publish("twitter", brand, "Paczka jedzie, Anna", follow_up.sequence)
    world.advance(FRIDAY + timedelta(hours=2))
    world.publish("twitter", brand, "I jeszcze rabat, Anna", first.sequence)
    world.advance(FRIDAY + timedelta(hours=6))
    thanks = [post for post in world.posts("twitter") if "Dziękuję, jest!" in post.text]
    assert [(post.parent, post.author.key) for post in thanks] == [(answer.sequence, first.author.key)]


def test_it_answers_as_the_owner_unless_a_person_was_quicker() -> None:
    alone, helped = scene_world("own"), scene_world("own")
    helped.advance(FRIDAY + timedelta(minutes=4))
    helped.publish("twitter", helped.brand("twitter"), "Pewnie! Marek", the_post(helped, "own").sequence)
    for world, words, via in ((alone, "Może! Hanna", "native"), (helped, "Pewnie! Marek", "api")):
        world.advance(FRIDAY + timedelta(minutes=9))
        ours = [post for post in world.replies(the_post(world, "own").sequence) if post.ours]
        assert [(post.text, post.via) for post in ours] == [(words, via)]


def test_it_lets_the_owner_sleep() -> None:
    scene = (SceneItem(after=timedelta(hours=11), network="twitter", key="own"),)  # half past two at night
    world = World(start=FRIDAY, options=replace(QUIET, scene=True), library=replace(LIBRARY, scene=scene))
    world.advance(FRIDAY + timedelta(hours=18))
    (answer,) = world.replies(the_post(world, "own").sequence)
    assert answer.created_at.astimezone(FRIDAY.tzinfo).hour in (7, 8)


def test_it_keeps_the_texts_of_the_scene_until_they_are_played() -> None:
    scene = tuple(SceneItem(after=timedelta(minutes=10), network="twitter", role="question") for _ in range(3))
    busy = replace(QUIET, scene=True, posts_per_day=400, history_posts_per_day=60)
    world = World(start=FRIDAY, options=busy, library=replace(LIBRARY, scene=scene))
    world.advance(FRIDAY + timedelta(minutes=10))
    said = [post for network in world.networks for post in world.posts(network)]
    played = [post for post in said if post.created_at == FRIDAY + timedelta(minutes=10)]
    assert len({post.text_key for post in played}) == 3
    assert all(post.kind is PostKind.MENTION for post in played)
    assert len([post for post in said if post.text_key in {post.text_key for post in played}]) == 3


def test_it_lets_a_bot_answer_every_reply_of_ours() -> None:
    world = scene_world("bot")
    world.advance(FRIDAY + timedelta(minutes=2))
    above = the_post(world, "bot")
    for turn in range(1, 6):
        world.publish("twitter", world.brand("twitter"), "Odpowiedź automatyczna.", above.sequence)
        world.advance(FRIDAY + timedelta(minutes=2 + 5 * turn))
        above = world.posts("twitter")[-1]
        assert above.text == "@lawenda Wkrótce!"
        assert above.author.is_bot
    assert len(world.by_author("twitter", "robot")) == 6


def test_it_edits_and_keeps_the_first_text_and_both_sequences() -> None:
    world = scene_world("fix")
    world.advance(FRIDAY + timedelta(minutes=2))
    before = the_post(world, "fix")
    world.advance(FRIDAY + timedelta(minutes=5))
    after = the_post(world, "fix")
    assert (before.edits, before.edited_at) == ((), None)
    assert after.original_text == before.text
    assert after.text == before.text.replace("Supre", "Super")
    assert after.edited_at == before.created_at + timedelta(minutes=2)
    assert after.sequence == before.sequence
    assert len(after.sequences) == 2
    assert world.post(after.sequences[1]) == after


def test_it_hides_a_deleted_post_but_remembers_it() -> None:
    world = scene_world("gone")
    world.advance(FRIDAY + HOUR)
    post = the_post(world, "gone")
    assert post.deleted
    assert world.post(post.sequence) == post
    assert post not in world.posts("twitter")
    with pytest.raises(UnknownPost, match="deleted"):
        world.publish("twitter", world.brand("twitter"), "Szkoda", post.sequence)


@pytest.mark.parametrize(("network", "goes"), [("facebook", True), ("twitter", False), ("bluesky", False)])
def test_what_stands_under_a_deleted_post_goes_with_it_where_it_is_a_comment(network: str, goes: bool) -> None:
    world = scene_world("q1")
    world.advance(FRIDAY + HOUR)
    customer = world.open_account(network, "klient")
    under = world.brand_posts(network)[-1].sequence
    asked = world.publish(network, customer, "Gdzie paczka?", under)
    again = world.publish(network, customer, "Halo?", asked.sequence)
    answer = world.publish(network, world.brand(network), "Już sprawdzam.", again.sequence)
    world.delete(asked.sequence)
    gone = [found is not None and found.deleted for found in map(world.post, (again.sequence, answer.sequence))]
    assert gone == [goes, goes]
    assert (again.sequence in {post.sequence for post in world.comments(under)}) is not goes


def test_it_hears_from_polish_verbs_who_speaks() -> None:
    assert speaks_as_woman("Zamówiłam wczoraj dwa mydła") is True
    assert speaks_as_woman("Zamówiłem wczoraj dwa mydła") is False
    assert speaks_as_woman("Mam problem z mailem i ze stołem") is None


# --- what dialects need -------------------------------------------------------------------------------------------


def test_it_publishes_a_key_once() -> None:
    world = scene_world("q1")
    world.advance(FRIDAY + HOUR)
    question, brand = the_post(world, "q1"), world.brand("twitter")
    reply = world.publish("twitter", brand, "Tak.", question.sequence, key="k1")
    assert (reply.ours, reply.via, reply.kind, reply.root) == (True, "api", PostKind.OWN, question.root)
    assert world.by_key("twitter", "k1") == reply
    with pytest.raises(DuplicateKey) as refused:
        world.publish("twitter", brand, "Tak!", question.sequence, key="k1")
    assert refused.value.existing == reply
    assert [post for post in world.replies(question.sequence) if post.ours] == [reply]


def test_it_finds_the_same_text_by_the_same_account_within_a_time() -> None:
    world = scene_world()
    brand = world.brand("twitter")
    first = world.publish("twitter", brand, "Dobranoc!")
    assert world.find_duplicate("twitter", brand, "Dobranoc!", within=HOUR) == first
    assert world.find_duplicate("twitter", brand, "Dobranoc!", within=HOUR, parent=first.sequence) is None
    assert world.find_duplicate("twitter", brand, "Dzień dobry!", within=HOUR) is None
    world.advance(FRIDAY + 2 * HOUR)
    assert world.find_duplicate("twitter", brand, "Dobranoc!", within=HOUR) is None


def test_it_tells_of_every_repeat_that_a_network_refused_and_can_be_told_to_take_it() -> None:
    told: list[Mapping[str, Any]] = []
    world = scene_world("q1")
    world = World(start=FRIDAY, options=world.options, library=world.library, record=told.append)
    world.advance(FRIDAY + HOUR)
    question, brand = the_post(world, "q1"), world.brand("twitter")
    reply = world.publish("twitter", brand, "Tak.", question.sequence, key="k1")

    def again() -> WorldPost | None:
        return world.find_duplicate("twitter", brand, "Tak.", within=HOUR, parent=question.sequence)

    assert again() == reply
    with pytest.raises(DuplicateKey):
        world.publish("twitter", brand, "Tak.", question.sequence, key="k1")
    refused = [event for event in told if event["event"] == "refused-repeat"]
    assert [(event["network"], event["sequence"]) for event in refused] == [("twitter", reply.sequence)] * 2

    world.accepts_repeats = True
    assert again() is None


def test_it_knows_accounts_by_key_number_and_handle() -> None:
    world = scene_world("ask", network="bluesky")
    world.advance(FRIDAY + HOUR)
    ola = world.account("bluesky", "ola")
    assert ola is not None
    assert ola.handle == "ola.test"
    assert world.account_by_number("bluesky", ola.number) == ola
    assert world.account_by_handle("bluesky", "@OLA.test") == ola
    assert world.accounts("bluesky") == [world.brand("bluesky"), ola]
    assert world.brand("bluesky").key == BRAND
    assert 10**9 <= ola.number < 10**10
    assert world.account("twitter", "ola") is None


def test_it_reads_only_what_came_after_a_sequence() -> None:
    world = scene_world("q1", "q2", "q3")
    world.advance(FRIDAY + HOUR)
    first, second, third = (the_post(world, key).sequence for key in ("q1", "q2", "q3"))
    assert [post.sequence for post in world.posts("twitter", after=first)] == [second, third]
    assert world.search("twitter", "NUMER 3")[0].sequence == third


def test_it_opens_an_account_for_a_stranger_once() -> None:
    world = scene_world()
    stranger = world.open_account("twitter", "Ktoś Nowy")
    assert stranger == world.open_account("twitter", "Ktoś Nowy")
    assert world.publish("twitter", stranger, "@lawenda hej", kind=PostKind.MENTION) in world.mentions("twitter")


def test_it_says_which_post_it_does_not_know() -> None:
    with pytest.raises(WorldError, match="no post 9999"):
        scene_world().delete(9999)


def test_it_counts_calls_in_windows_of_world_time() -> None:
    limits, window = RateLimits(), timedelta(minutes=15)
    states = [limits.take("read", limit=2, window=window, now=FRIDAY + timedelta(minutes=n)) for n in (0, 1, 2)]
    assert [(state.allowed, state.remaining) for state in states] == [(True, 1), (True, 0), (False, 0)]
    assert {state.resets_at for state in states} == {FRIDAY.astimezone(UTC) + window}
    assert limits.take("read", limit=2, window=window, now=FRIDAY + window).remaining == 1
    assert limits.take("write", limit=5, window=window, now=FRIDAY, cost=3).remaining == 2


# --- the shipped texts --------------------------------------------------------------------------------------------


def test_it_opens_the_shipped_world_with_the_whole_scene_within_twelve_hours() -> None:
    library = load_library()
    world = World(start=FRIDAY, options=replace(QUIET, scene=True), library=library)
    world.advance(FRIDAY + timedelta(hours=12))
    said = [
        (library.by_key[post.text_key], post.created_at.astimezone(ZoneInfo("Europe/Warsaw")))
        for network in world.networks
        for post in world.posts(network, deleted=True)
        if post.text_key in library.by_key
    ]
    assert any(text.role == "question" and at.hour < 17 for text, at in said)
    assert any(text.role == "complaint" and at.hour < 17 for text, at in said)
    assert any(text.urgency == "high" for text, _ in said)
    assert any(text.role == "wants_human" and at.hour >= 22 for text, at in said)
    assert any(text.role == "complaint" and 18 <= at.hour < 22 for text, at in said)
    assert {"native_answered", "praise", "opt_out"} <= {text.role for text, _ in said}
    assert {post.network for network in world.networks for post in world.posts(network) if not post.ours} == set(
        world.networks
    )


def test_it_names_the_line_of_a_broken_text(tmp_path: Path) -> None:
    shipped = Path(load_library.__code__.co_filename).with_name("texts")
    for name in ("cast.toml", "scene.toml", "shop.jsonl"):
        (tmp_path / name).write_text((shipped / name).read_text())
    (tmp_path / "customers.jsonl").write_text(
        '{"key": "a", "lang": "pl", "role": "question", "text": "?"}\n{"key": "b"}\n'
    )
    with pytest.raises(ConfigurationError, match=r"customers\.jsonl:2: .*'lang'"):
        load_library(tmp_path)


def test_it_refuses_a_key_that_is_used_twice(tmp_path: Path) -> None:
    shipped = Path(load_library.__code__.co_filename).with_name("texts")
    for name in ("cast.toml", "scene.toml", "shop.jsonl"):
        (tmp_path / name).write_text((shipped / name).read_text())
    line = '{"key": "a", "lang": "pl", "role": "question", "text": "?"}\n'
    (tmp_path / "customers.jsonl").write_text(line * 2)
    with pytest.raises(ConfigurationError, match="keys used twice: a"):
        load_library(tmp_path)


def test_it_refuses_a_scene_on_a_network_that_is_not_there() -> None:
    with pytest.raises(ConfigurationError, match="'owl', but there are twitter"):
        scene_world("q1", network="owl")


def test_it_refuses_a_scene_that_no_text_can_play() -> None:
    with pytest.raises(ConfigurationError, match="no text fits the scene item"):
        scene_world("missing")
