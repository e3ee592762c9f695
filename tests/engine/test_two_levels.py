"""Facebook files what answers a nested comment beside it, under the top one. Where that is the page's own comment, an answer
names nobody: nobody is answered twice all the same. D4 (a backup is restored) and P9 (two people and the robot at once)."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from connectors.simulated.control import customer_posts
from connectors.simulated.records import WorldPost
from social.clock import SteppedClock
from social.domain.post import Author
from social.domain.reply import ReplyState, SentBy
from social.engine import people
from social.store.session import Database
from social.store.tables import ReplyRow
from tests.cast import HANNA, MAREK, at
from tests.engine.looking import rows
from tests.factories import case, desk_for, planned, post, profile, remembered
from tests.reliability.crowd import Crowded, check, race, send_all
from tests.reliability.networks import Town, town
from tests.story.telling import NETWORK_RULES, cases, posts, replies

FILINGS = pytest.mark.parametrize("two_levels", [True, False], ids=["two levels", "as deep as said"])


@pytest.fixture
def place(database: Database, tmp_path: Path, two_levels: bool) -> Iterator[Town]:
    with town("facebook", database, tmp_path) as opened:
        opened.stage.world.two_levels = two_levels
        opened.stage.world.accepts_repeats = True  # nothing but the desk prevents a second text
        yield opened


def page_comments(place: Town, text: str = "Pytania o paczki? Piszcie tutaj.") -> WorldPost:
    """The page's own comment under its newest post, for customers to ask under; the desk has seen it."""
    world = place.stage.world
    said = world.publish("facebook", world.brand("facebook"), text, place.stage.shop_post().sequence, via="native")
    place.run(minutes=5)
    return said


def asks(place: Town, under: WorldPost, text: str = "Gdzie jest moja paczka?", author: str = "ola_wrona") -> WorldPost:
    return customer_posts(place.stage.world, "facebook", text, author=author, parent=under.sequence)


def copied(place: Town) -> Path:
    """A backup, as `social db backup` makes it."""
    path = place.database.path
    assert path is not None
    backup = path.with_name("backup.db")
    with sqlite3.connect(path) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    return backup


def restored(place: Town, backup: Path) -> None:
    """Another process opens the desk on the older file."""
    path = place.database.path
    assert path is not None
    place.database.close()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(backup, path)
    place.desk.database = place.database = Database(f"sqlite:///{path}")
    ((number, live),) = place.desk.profiles.items()
    place.desk.profiles = {number: replace(live, connector=place.stage.connector())}


def answered(place: Town) -> list[tuple[int | None, str]]:
    """(post that is answered, by ``api`` or ``native``) of everything that the page said to customers."""
    world = place.stage.world
    said = (own for own in world.comments(place.stage.shop_post().root) if own.ours)
    above = ((own, world.post(own.parent or 0)) for own in said)
    return [(own.parent, own.via) for own, to in above if to is not None and not to.ours]


# --- the robot's last look ---------------------------------------------------------------------------------------------


@FILINGS
def test_an_answer_in_the_app_under_the_pages_own_comment_keeps_the_robot_silent(place: Town, two_levels: bool) -> None:
    asked = asks(place, page_comments(place))
    place.run(minutes=10)
    place.stage.shop_answers_in_the_app(asked, "Dzień dobry, już sprawdzam. Zofia")
    place.run(hours=2)

    assert answered(place) == [(asked.sequence, "native")]
    (reply,) = replies(place.database)
    assert reply.state == ReplyState.CANCELLED
    (waiting,) = cases(place.database)
    # who is meant nobody can tell, so the case stays, and says what stands there
    assert waiting.state == ("open" if two_levels else "answered")
    assert ("perhaps" in (waiting.note or "")) is two_levels


@FILINGS
def test_one_more_word_of_the_page_beside_the_customers_holds_no_text_back(place: Town, two_levels: bool) -> None:
    """A comment of the page under its own post answers nobody who asked under the post."""
    asked = asks(place, place.stage.shop_post())
    place.run(minutes=10)
    page_comments(place, "Konkurs trwa do piątku!")
    place.run(hours=1)

    assert answered(place) == [(asked.sequence, "api")]


@FILINGS
def test_an_answer_to_one_of_two_customers_closes_nobody_elses_case(place: Town, two_levels: bool) -> None:
    """Beata asks below Ola's comment; a colleague answers Beata in the app, and the network files it below Ola's."""
    first = customer_posts(
        place.stage.world, "facebook", "Gdzie paczka?", author="ola_wrona", parent=place.stage.shop_post().sequence
    )
    place.run(minutes=5)
    second = asks(place, first, "A moja?", author="beata_kuras")
    place.run(minutes=10)
    place.stage.shop_answers_in_the_app(second, "Pani Beato, jutro. Zofia")
    place.run(hours=2)

    told = {case_.post_id: case_.state for case_ in cases(place.database)}
    of = {row.text: row.id for row in posts(place.database)}
    states = [told[of[text] or 0] for text in ("Gdzie paczka?", "A moja?")]
    assert states == (["open", "open"] if two_levels else ["open", "answered"])
    assert (second.sequence, "native") in answered(place)
    if two_levels:  # who is meant nobody can tell: no robot speaks over it
        assert answered(place) == [(second.sequence, "native")]


@FILINGS
def test_the_robot_still_answers_everybody_who_asks_under_the_pages_own_comment(place: Town, two_levels: bool) -> None:
    """Its own texts to others stand beside theirs, and the outbox knows whose each is."""
    under = page_comments(place)
    asked = []
    for author in ("ola_wrona", "beata_kuras", "grazyna_m"):
        asked.append(asks(place, under, author=author))
        place.run(minutes=7)
    place.run(hours=1)

    assert sorted(answered(place)) == [(one.sequence, "api") for one in asked]
    assert [reply.state for reply in replies(place.database)] == [ReplyState.SENT] * 3


@FILINGS
def test_what_the_customer_adds_after_that_answer_brings_no_robot_either(place: Town, two_levels: bool) -> None:
    under = page_comments(place)
    asked = asks(place, under)
    place.run(minutes=10)
    place.stage.shop_answers_in_the_app(asked, "Dzień dobry, już sprawdzam. Zofia")
    place.run(minutes=6)
    asks(place, under, "A kiedy będzie wiadomo?")
    place.run(hours=2)

    assert answered(place) == [(asked.sequence, "native")]
    assert cases(place.database)[-1].state == "open"


# --- D4: a backup is restored ------------------------------------------------------------------------------------------


@FILINGS
@pytest.mark.parametrize("before", ["the question", "the answer"])
@pytest.mark.parametrize("who", ["api", "native"])
def test_a_restored_backup_answers_nobody_again(place: Town, two_levels: bool, before: str, who: str) -> None:
    """The backup is older than the question, or holds it with the text that was planned for it."""
    under = page_comments(place)
    backup = copied(place)
    asked = asks(place, under)
    place.run(minutes=10)
    if before == "the answer":
        backup = copied(place)
    if who == "native":
        place.stage.shop_answers_in_the_app(asked, "Dzień dobry, już sprawdzam. Zofia")
    place.run(minutes=35)
    assert answered(place) == [(asked.sequence, who)]

    restored(place, backup)
    place.run(minutes=3)  # the customer's hour is not over: a second text would still go out
    place.run(hours=3)

    assert answered(place) == [(asked.sequence, who)]
    waiting = [(row.state, row.rule) for row in cases(place.database)]
    if two_levels:  # perhaps it was to this customer: a person looks
        assert waiting == [("open", "after-gap" if before == "the question" else "open")]
    else:
        assert waiting == [] if before == "the question" else [state for state, _ in waiting] == ["answered"]


@FILINGS
def test_a_restored_backup_of_a_busy_page_answers_nobody_again(place: Town, two_levels: bool) -> None:
    """Customers under the page's post, under its comments and under each other's; some answered by a colleague, some by the
    robot, some by nobody yet when the file of an hour ago comes back."""
    dice = random.Random(11)
    own = [page_comments(place), page_comments(place, "A tu o zwroty.")]
    tops: list[WorldPost] = [place.stage.shop_post(), *own]
    backup = copied(place)
    asked: list[WorldPost] = []
    for number in range(24):
        asked.append(asks(place, dice.choice(tops), f"Gdzie jest paczka {number}?", author=f"klient-{number}"))
        if number % 6 == 0:
            tops.append(asked[-1])
        if number % 4 == 1:
            place.stage.shop_answers_in_the_app(dice.choice(asked[-3:]), f"Już sprawdzam, {number}. Zofia")
        place.run(minutes=3)
    before = answered(place)
    assert {who for _, who in before} == {"api", "native"}

    restored(place, backup)
    place.run(hours=4)

    after = answered(place)
    again = [one for one in after[len(before) :] if one[0] in {to for to, _ in before}]
    assert again == []
    assert not [row for row in posts(place.database) if row.state in ("new", "failed")]
    said_to = {to for to, _ in after}
    waiting = {row.conversation_id for row in cases(place.database)}
    numbers = {row.text: row.conversation_id for row in posts(place.database)}
    # what stands under a customer's own comment counts as an answer to them, whoever else asked there
    alone = [one for one in asked if not any(other.parent == one.sequence for other in asked)]
    assert [one.text for one in alone if one.sequence not in said_to and numbers[one.text] not in waiting] == []


# --- P9: two people and the robot --------------------------------------------------------------------------------------


class FiledUnderTheTop(Crowded):
    """Whatever answers a nested comment says that it stands under the top one."""

    def _surface(self) -> None:
        super()._surface()
        tops = {id_: item.native.get("parent") for id_, item in self._posts.items()}
        for id_, item in self._posts.items():
            if item.ours and (top := tops.get(item.in_reply_to or "")) is not None:
                self._posts[id_] = replace(item, in_reply_to=str(top))


@pytest.mark.parametrize("races", [40, pytest.param(300, marks=pytest.mark.slow)])
def test_people_and_the_robot_never_talk_over_each_other_there(
    races: int, new_store_database: Callable[[], Database]
) -> None:
    """Marek answers at the desk; Hanna at the desk too, or in the network's own app; two lanes send the robot's text."""
    chance = random.Random(5)
    clock = SteppedClock(at("2026-11-20 09:30"))
    network = FiledUnderTheTop(clock, chance)
    first, second, at_the_desk, beside_it = (new_store_database() for _ in range(4))
    shop = profile(first)
    lanes = [desk_for(each, clock, network) for each in (first, second)]
    for lane in lanes:
        lane.limits = type(lane.limits)(per_profile_an_hour=10_000)
    seen = {"robot": 0, "person": 0, "app": 0}
    for number in range(races):
        clock.advance(timedelta(seconds=20))
        when, top = clock.now() - timedelta(minutes=40), f"top-{number}"
        under = {"thread_root": f"own-{number}", "in_reply_to": top, "native": {"node": "comment", "parent": top}}
        asked = network.publishes(post(when=when, by=Author(native_id=f"c{number}"), **under))
        row = remembered(first, shop, asked)
        number_of_case = case(first, row)
        planned(first, row, due_at=clock.now())
        answer = partial(people.answer, context=NETWORK_RULES, case_id=number_of_case, now=clock.now())
        in_the_app = number % 2 == 1
        outcome = race(
            *(partial(send_all, lane, network, clock.now()) for lane in lanes),
            partial(answer, at_the_desk, text="Sprawdzam, Marek.", user=MAREK),
            partial(network.by_hand, asked)
            if in_the_app
            else partial(answer, beside_it, text="Sprawdzam, Hanna.", user=HANNA),
            chance=chance,
            robot_first=number % 6 < 2,
        )
        assert not outcome.broken, (number, outcome.broken)
        for _ in range(3):  # what was put off while another text was on the wire
            clock.advance(timedelta(seconds=6))
            send_all(lanes[0], network, clock.now())
        happened = network.happened.get(asked.thread_root, [])
        check(happened, (number, happened, outcome.refused))
        for what in seen:
            seen[what] += [kind for kind, _ in happened].count(what)
    held_back = [reply for reply in rows(first, ReplyRow) if "perhaps a person answered" in (reply.reason or "")]
    assert {reply.sent_by for reply in held_back} >= {SentBy.PERSON}
    assert {reply.state for reply in rows(first, ReplyRow)} <= {
        ReplyState.SENT,
        ReplyState.CANCELLED,
        ReplyState.REFUSED,
    }
    assert min(seen.values()) > 0, f"nobody was in anybody's way, so nothing was tried: {seen}"
