"""`social replay`: a brand's own history through the desk, and what it would have met there."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from responders.policy import TABLE
from social.cli import replay_report
from social.cli.packed_lines import LONGEST_LINE
from social.cli.replay_file import LONGEST_TEXT, Message, ThreadFile, read_threads
from social.cli.replay_history import Turn, arranged, chosen, contacts, recorded, shift_to
from social.cli.replay_run import NOT_SHOWN, Ending, Met, Replay, run_replay
from social.domain.assessment import Head, Sentiment, Urgency
from social.domain.errors import NotFound
from social.settings import Settings, parse_settings
from social.store.rows import c
from social.store.session import Database
from social.store.tables import PostRow, ReplyRow
from tests.cast import WARSAW, at
from tests.cli.conftest import Social
from tests.fakes import FakeClassifier

NO_SHIFT = timedelta(0)
ANNA, PIOTR = "anna", "piotr"

CONFIG = """\
[[brands]]
name = "Fikcja"
languages = ["pl"]
timezone = "Europe/Warsaw"

[brands.hours]
mon-fri = ["09:00-17:00"]

[[profiles]]
name = "fikcja-x"
brand = "Fikcja"
connector = "twitter"
mode = "acknowledge"
closed_notice = true
poll_every = "5m"
credential = "fikcja-x"
"""


def said(thread: str, number: int, when: str, text: str, *, by: str = ANNA, to: int | None = None) -> dict[str, Any]:
    """One line; the brand is called fikcja, and ``to`` is a number in the same thread."""
    return {
        "thread": thread,
        "brand": "fikcja",
        "tweet_id": f"{thread}-{number}",
        "author": by,
        "inbound": by != "fikcja",
        "created_at": at(when).astimezone(UTC).isoformat(),
        "text": text,
        "in_response_to": f"{thread}-{to}" if to is not None else None,
        "source": "made up",
    }


#: Friday, 20 November 2026: the shop is open from 9 to 17.
STORIES = [
    said("helped", 1, "2026-11-20 10:00", "@fikcja gdzie moja paczka?"),
    said("helped", 2, "2026-11-20 10:20", "@anna już jedzie", by="fikcja", to=1),
    said("alone", 1, "2026-11-20 11:00", "@Fikcja gdzie moja paczka?", by=PIOTR),
    said("announcement", 1, "2026-11-20 12:00", "Nowe mydło!", by="fikcja"),
    said("announcement", 2, "2026-11-20 12:10", "a kiedy w sklepie?", to=1),
    said("announcement", 3, "2026-11-20 13:30", "Jutro!", by="fikcja", to=2),
    said("again", 1, "2026-11-20 13:00", "@brand nie działa kod", by=PIOTR),
    said("again", 2, "2026-11-20 13:10", "Który?", by="fikcja", to=1),
    said("again", 3, "2026-11-20 13:40", "ten z maila", by=PIOTR, to=2),
    said("aside", 1, "2026-11-20 14:00", "fikcja znowu zamknięta"),
    said("aside", 2, "2026-11-20 14:05", "Otwarta do 17", by="fikcja", to=1),
    said("praise", 1, "2026-11-20 14:30", "@fikcja super sklep"),
    said("doubt", 1, "2026-11-20 14:45", "@fikcja no pięknie", by=PIOTR),
    said("night", 1, "2026-11-20 23:00", "@fikcja czy macie lawendę?"),
    said("night", 2, "2026-11-23 09:30", "Mamy", by="fikcja", to=1),
]


def settings() -> Settings:
    return parse_settings(CONFIG, source=None, home=Path(), environment={})


def judge() -> tuple[FakeClassifier, FakeClassifier]:
    knows = FakeClassifier()
    knows.judges("super", sentiment=Sentiment.POSITIVE, urgency=Urgency.LOW, needs_reply=False)
    knows.judges("pięknie", sentiment=Sentiment.NEGATIVE, abstained={Head.FLAGS})
    return knows, knows


def written(folder: Path, *lines: object, name: str = "threads.jsonl") -> Path:
    """Objects as JSON, bytes as they are."""
    file = folder / name
    file.write_bytes(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )
    return file


def turns_of(lines: Sequence[object], folder: Path, mended: Counter[str] | None = None) -> list[Turn]:
    read = read_threads(written(folder, *lines))
    assert read.skipped == []
    return arranged(read.messages, shift=NO_SHIFT, mended=read.mended if mended is None else mended)


def read_lines(folder: Path, *lines: object) -> ThreadFile:
    return read_threads(written(folder, *lines))


# --- the desk over a history --------------------------------------------------------------------------------------------


class Told:
    """A finished replay, its database, and what each thread met."""

    def __init__(self, folder: Path) -> None:
        self.turns = turns_of(STORIES, folder)
        self.replay: Replay = run_replay(settings(), self.turns, judge=judge(), keep=folder / "kept.db")
        self.met: dict[str, Met] = {one.contact.thread: one for one in self.replay.met}
        database = Database(f"sqlite:///{folder / 'kept.db'}")
        with database.read() as session:
            sent = select(c(PostRow).created_at, ReplyRow).join(PostRow, c(PostRow).id == c(ReplyRow).post_id)
            self.sent = {
                asked: (reply.kind, reply.sent_at)
                for asked, reply in session.execute(sent.where(c(ReplyRow).state == "sent"))
            }
            self.outcomes = {
                row.created_at: (row.outcome, row.reason) for row in session.execute(select(PostRow)).scalars()
            }
        database.close()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return Told(tmp_path_factory.mktemp("replay"))


def test_it_says_nothing_where_a_person_answered_at_minute_20(told: Told) -> None:
    assert told.met["helped"].ending is Ending.PERSON_QUICKER
    assert at("2026-11-20 10:00") not in told.sent


def test_it_acknowledges_at_minute_40_what_nobody_answered_in_open_hours(told: Told) -> None:
    assert told.met["alone"].ending is Ending.ACKNOWLEDGED
    assert told.sent[at("2026-11-20 11:00")] == ("acknowledgement", at("2026-11-20 11:40"))


def test_it_tells_at_night_that_nobody_is_there(told: Told) -> None:
    kind, when = told.sent[at("2026-11-20 23:00")]

    assert told.met["night"].ending is Ending.TOLD_CLOSED
    assert kind == "closed-notice"
    assert when is not None
    assert timedelta(minutes=2) <= when - at("2026-11-20 23:00") <= timedelta(minutes=6)


def test_it_hears_a_customer_under_the_brands_own_post_who_does_not_name_it(told: Told) -> None:
    assert told.met["announcement"].ending is Ending.ACKNOWLEDGED
    assert told.sent[at("2026-11-20 12:10")] == ("acknowledgement", at("2026-11-20 12:50"))
    assert told.outcomes[at("2026-11-20 12:00")] == ("ignored", "our own post")


def test_it_stays_silent_after_a_person_where_the_customer_writes_again(told: Told) -> None:
    assert told.met["again"].ending is Ending.PERSON_QUICKER
    assert told.outcomes[at("2026-11-20 13:40")][0] == "escalated"
    assert not {at("2026-11-20 13:00"), at("2026-11-20 13:40")} & set(told.sent)


def test_it_does_not_see_what_does_not_name_the_brand(told: Told) -> None:
    assert (told.met["aside"].ending, told.met["aside"].detail) == (Ending.COULD_NOT, NOT_SHOWN)
    assert at("2026-11-20 14:00") not in told.outcomes


def test_it_keeps_every_promise_of_the_self_test_and_has_something_to_check(told: Told) -> None:
    assert [check.broken for check in told.replay.checks] == [()] * 11
    assert told.replay.kept
    assert sum(check.checked > 0 for check in told.replay.checks) >= 6


def test_it_counts_every_first_message_once(told: Told) -> None:
    summary = replay_report.summarise(told.replay.met)

    assert summary.endings == {
        Ending.ACKNOWLEDGED: 2,
        Ending.TOLD_CLOSED: 1,
        Ending.HANDED_OVER: 0,
        Ending.PERSON_QUICKER: 2,
        Ending.ESCALATED: 1,
        Ending.IGNORED: 1,
        Ending.COULD_NOT: 1,
    }
    assert summary.details[Ending.ESCALATED] == {"unsure": 1}
    assert summary.details[Ending.IGNORED] == {"no-answer-needed": 1}
    assert summary.ignored_but_answered == 0
    assert told.replay.robot_texts == 3


def test_it_tells_when_people_really_answered(told: Told) -> None:
    people = replay_report.summarise(told.replay.met).people

    assert (people.customers, people.answered, people.within_hour, people.never) == (8, 5, 3, 3)
    assert people.median == timedelta(minutes=20)
    assert people.nine_in_ten == at("2026-11-23 09:30") - at("2026-11-20 23:00")


def test_it_tells_whom_each_customer_would_have_heard_from(told: Told) -> None:
    together = replay_report.summarise(told.replay.met).together

    assert (together.only_person, together.kept_out, together.both, together.nobody) == (3, 2, 0, 2)
    assert together.only_robot == {Ending.ACKNOWLEDGED: 2, Ending.TOLD_CLOSED: 1}


def test_it_tells_the_mood_and_the_longest_waits(told: Told) -> None:
    summary = replay_report.summarise(told.replay.met)

    assert summary.sentiment == {"neutral": 5, "positive": 1, "negative": 1}
    assert summary.urgency == {"normal": 6, "low": 1}
    assert [one.contact.thread for one in summary.longest] == ["night", "announcement", "helped", "again", "aside"]
    assert summary.never == ("alone", "praise", "doubt")


def test_it_explains_rules_that_there_are() -> None:
    assert set(replay_report.RULES_IN_WORDS) <= {rule.name for rule in TABLE}


def test_it_jumps_over_years_and_tells_the_same_each_time(tmp_path: Path) -> None:
    early = said("early", 1, "2019-05-06 10:00", "@fikcja gdzie moja paczka?")
    late = said("late", 1, "2026-11-20 10:00", "@fikcja gdzie moja paczka?", by=PIOTR)
    turns = turns_of([early, late], tmp_path)

    first, second = (run_replay(settings(), turns, judge=judge()) for _ in range(2))

    assert [one.ending for one in first.met] == [Ending.ACKNOWLEDGED] * 2  # nothing counts as come after a gap
    assert first == second


# --- reading the file -----------------------------------------------------------------------------------------------------

GOOD = said("good", 1, "2026-11-20 10:00", "dzień dobry")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"[1]", "not an object"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"a":' * 100_000, "not JSON"),
        (b'{"text": "' + b"x" * LONGEST_LINE + b'"}', "longer than 1,000,000 bytes"),
        ({**GOOD, "inbound": "true"}, '"inbound" must be true'),
        ({**GOOD, "thread": ""}, '"thread" is missing'),
        ({**GOOD, "tweet_id": None}, '"tweet_id" is missing'),
        ({**GOOD, "author": ["anna"]}, '"author" must be a text'),
        ({**GOOD, "author": "a" * 201}, '"author" must be a text'),
        ({**GOOD, "text": None}, '"text" is missing'),
        ({**GOOD, "created_at": "2026-11-20T10:00:00"}, "has no time zone"),
        ({**GOOD, "created_at": "Tue Oct 31 22:10:47 +0000 2017"}, "is not a time like"),
        ({**GOOD, "created_at": 1511222400}, '"created_at" is missing or not a text'),
        ({**GOOD, "created_at": "0001-01-01T00:00:00+10:00"}, "lies outside 2011 to 2078"),
        ({**GOOD, "created_at": "1999-01-01T00:00:00Z"}, "lies outside 2011 to 2078"),
        (GOOD, "the same thread and tweet_id as line 1"),
    ],
)
def test_it_names_a_line_that_it_cannot_use_and_goes_on(tmp_path: Path, line: object, reason: str) -> None:
    last = {**GOOD, "tweet_id": 7}

    read = read_lines(tmp_path, GOOD, b"", line, last)

    assert [item.line for item in read.skipped] == [3]
    assert reason in read.skipped[0].reason
    assert [(message.id, message.line) for message in read.messages] == [("good-1", 1), ("7", 4)]


def test_it_mends_texts_that_no_network_could_store(tmp_path: Path) -> None:
    read = read_lines(
        tmp_path,
        b"\xef\xbb\xbf" + json.dumps({**GOOD, "text": "a\x00b\ud83dc \U0001f600"}).encode(),
        {**GOOD, "tweet_id": "2", "text": "x" * (LONGEST_TEXT + 1)},
    )

    assert read.messages[0].text == "a\ufffdb\ufffdc \U0001f600"
    assert len(read.messages[1].text) == LONGEST_TEXT
    assert sorted(read.mended.values()) == [1, 1]
    assert read.skipped == []


def test_it_reads_gzip_whatever_the_name_and_what_a_damaged_one_still_holds(tmp_path: Path) -> None:
    lines = [{**GOOD, "tweet_id": str(number), "text": f"{number * 7919} " * 50} for number in range(2000)]
    packed = gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    whole, half = tmp_path / "whole", tmp_path / "half"
    whole.write_bytes(packed)
    half.write_bytes(packed[: len(packed) // 2])

    assert len(read_threads(whole).messages) == 2000
    read = read_threads(half)
    assert 0 < len(read.messages) < 2000
    assert read.skipped[-1].reason == "the compressed file is damaged or ends here"


def test_it_says_that_there_is_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cannot be read"):
        read_threads(tmp_path / "nowhere.jsonl")


# --- putting it in order ----------------------------------------------------------------------------------------------------


def under(turns: Sequence[Turn]) -> dict[str, str | None]:
    return {turn.message.id: turn.parent.message.id if turn.parent else None for turn in turns}


def test_circles_and_missing_parents_lose_nobody(tmp_path: Path) -> None:
    mended: Counter[str] = Counter()
    turns = turns_of(
        [
            said("t", 1, "2026-11-20 10:00", "a", to=2),  # answers what comes later: a circle
            said("t", 2, "2026-11-20 10:01", "b", by="fikcja", to=1),
            said("t", 3, "2026-11-20 10:02", "c", to=3),  # answers itself
            said("t", 4, "2026-11-20 10:03", "d", by="fikcja", to=99),  # answers what is not there
            said("t", 5, "2026-11-20 10:04", "e", by=PIOTR, to=99),
        ],
        tmp_path,
        mended,
    )

    assert under(turns) == {"t-1": None, "t-2": "t-1", "t-3": "t-2", "t-4": "t-3", "t-5": "t-4"}
    assert sorted(mended.values()) == [2, 2]


def test_where_nothing_says_who_answers_whom_the_order_of_a_thread_does(tmp_path: Path) -> None:
    turns = turns_of(
        [
            said("t", 1, "2026-11-20 10:00", "a"),
            said("t", 2, "2026-11-20 10:01", "b", by="fikcja"),
            said("t", 3, "2026-11-20 10:02", "c"),
            said("u", 1, "2026-11-20 10:03", "d", by=PIOTR),
        ],
        tmp_path,
    )

    assert under(turns) == {"t-1": None, "t-2": "t-1", "t-3": "t-2", "u-1": None}


def test_messages_of_one_second_get_seconds_of_their_own_parents_first(tmp_path: Path) -> None:
    ten = "2026-11-20 10:00"
    turns = turns_of(
        [said("t", 2, ten, "b", by="fikcja", to=1), said("t", 1, ten, "a"), said("u", 1, ten, "c")], tmp_path
    )

    assert under(turns) == {"t-1": None, "t-2": "t-1", "u-1": None}
    assert [turn.at - at(ten) for turn in sorted(turns, key=lambda turn: turn.at)] == [
        timedelta(seconds=second) for second in range(3)
    ]


def test_a_shift_keeps_weekdays_times_of_day_and_gaps(tmp_path: Path) -> None:
    read = read_lines(tmp_path, *STORIES)
    shift = shift_to(read.messages, date(2027, 3, 2), WARSAW)
    turns = arranged(read.messages, shift=shift, mended=read.mended)

    assert turns[0].at.astimezone(WARSAW) == datetime(2027, 3, 5, 10, 0, tzinfo=WARSAW)  # a Friday, too
    assert turns[-1].at - turns[0].at == read.messages[-1].at - read.messages[0].at
    assert shift_to(read.messages, date(2026, 11, 20), WARSAW) == NO_SHIFT
    assert shift_to(read.messages, date(2026, 11, 13), WARSAW) == timedelta(weeks=-1)


def test_it_takes_one_brand_or_the_first_conversations(tmp_path: Path) -> None:
    other = {**said("o", 1, "2026-11-20 10:00", "x"), "brand": "Inna"}
    messages = read_lines(tmp_path, *STORIES, other).messages

    def threads(found: Sequence[Message]) -> list[str]:
        return list(dict.fromkeys(message.thread for message in found))

    assert threads(chosen(messages, brand="inna", limit=None)) == ["o"]
    assert threads(chosen(messages, brand=None, limit=2)) == ["helped", "alone"]
    with pytest.raises(NotFound, match=r"no line is of the brand .*The file's brands: fikcja, Inna"):
        chosen(messages, brand="Nikt", limit=None)


def test_the_brand_is_called_as_the_network_calls_it_and_others_are_left_alone(tmp_path: Path) -> None:
    turns = turns_of(
        [
            said("t", 1, "2026-11-20 10:00", "@FIKCJA i @brand, nie @fikcja2 ani biuro@fikcja, @anna"),
            said("t", 2, "2026-11-20 10:01", "Tak", by="fikcja", to=1),
        ],
        tmp_path,
    )

    posts = recorded(turns, handle="sklep", all_addressed=False)
    assert [post.text for post in posts] == ["@sklep i @sklep, nie @fikcja2 ani biuro@fikcja, @anna", "Tak"]
    assert posts[0].author is not None
    assert (posts[1].author, posts[1].parent) == (None, posts[0].key)


def test_it_can_take_every_customers_message_as_one_that_names_the_brand(tmp_path: Path) -> None:
    turns = turns_of([STORIES[9], STORIES[10], STORIES[0]], tmp_path)

    posts = recorded(sorted(turns, key=lambda turn: turn.message.line), handle="sklep", all_addressed=True)

    assert [post.text for post in posts] == [
        "@sklep fikcja znowu zamknięta",
        "Otwarta do 17",
        "@sklep gdzie moja paczka?",
    ]


def test_a_file_that_leaves_out_the_brands_words_says_nothing_about_people(tmp_path: Path) -> None:
    one_sided = {**said("one", 1, "2026-11-20 10:00", "@fikcja tak", to=0), "parent_missing": True}
    turns = turns_of([one_sided, said("two", 1, "2026-11-20 11:00", "@fikcja halo")], tmp_path)

    assert [(found.thread, found.answers_known) for found in contacts(turns)] == [("one", False), ("two", True)]


def test_every_customer_of_a_thread_is_answered_separately(tmp_path: Path) -> None:
    turns = turns_of(
        [
            said("t", 1, "2026-11-20 10:00", "a"),
            said("t", 2, "2026-11-20 10:01", "ja też", by=PIOTR, to=1),
            said("t", 3, "2026-11-20 10:05", "Piotrze,", by="fikcja", to=2),
            said("t", 4, "2026-11-20 10:06", "już", by="fikcja", to=3),
            said("t", 5, "2026-11-20 12:00", "Anno, już", by="fikcja", to=1),
        ],
        tmp_path,
    )

    waits = {found.first.message.author: found.waited for found in contacts(turns)}
    assert waits == {ANNA: timedelta(hours=2), PIOTR: timedelta(minutes=4)}


# --- the command ------------------------------------------------------------------------------------------------------------


def test_the_command_reports_without_a_customers_words_and_names_what_it_skipped(social: Social, shop: Path) -> None:
    secret = "SEKRET-" + "klienta"
    file = written(
        shop, {**GOOD, "text": f"@fikcja {secret}"}, b"{", said("good", 2, "2026-11-20 11:30", "Już", by="fikcja")
    )

    done = social("replay", str(file), "--rules-only", "--keep-database", "kept.db")

    assert done.code == 0, done.err
    assert "line 2 is skipped: not JSON" in done.err
    assert "Conversations: 1, messages: 2" in done.out
    assert "1 h 30 min  good: escalated (unsure)" in done.out
    assert "BROKEN" not in done.out
    assert secret not in done.out + done.err
    assert (shop / "kept.db").stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in shop.iterdir()) == ["config.toml", "kept.db", "secrets", "threads.jsonl"]


def test_the_command_gives_json(social: Social, shop: Path) -> None:
    file = written(shop, *STORIES[:2], b"{")

    done = social("replay", str(file), "--rules-only", "--json", "--shift-to", "2027-01-01", "--brand", "Fikcja")

    report = done.json
    assert done.code == 0
    assert report["kept"] is True
    assert report["file"]["skipped"] == [{"line": 3, "reason": "not JSON"}]
    assert report["replayed"]["from"].startswith("2027-01-01T09:00")
    assert report["first_messages"]["total"] == 1
    assert report["people"]["median"] == 20 * 60
    assert len(report["checks"]) == 11


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nowhere.jsonl"], 2, "nowhere.jsonl: this file cannot be read"),
        (["empty.jsonl"], 2, "empty.jsonl: no line can be replayed"),
        (["threads.jsonl", "--brand", "Nikt"], 2, "no line is of the brand 'Nikt'"),
        (["threads.jsonl", "--profile", "nowhere"], 2, "These can: shop-page"),
        (["threads.jsonl", "--shift-to", "tomorrow"], 2, "'tomorrow' is not a date"),
        (["threads.jsonl", "--shift-to", "2079-05-01"], 1, "would lie outside 2011 to 2078"),
        (["threads.jsonl", "--shift-to", "1999-05-01"], 1, "would lie outside 2011 to 2078"),
        (["threads.jsonl", "--keep-database", "config.toml"], 8, "config.toml: there is already such a file"),
        (["threads.jsonl", "--keep-database", "no/where.db"], 6, "where.db: cannot be written"),
    ],
)
def test_a_wrong_turn_says_what_to_do(social: Social, shop: Path, arguments: list[str], code: int, says: str) -> None:
    written(shop, GOOD)
    written(shop, name="empty.jsonl")

    done = social("replay", "--rules-only", *arguments)

    assert (done.code, done.out) == (code, "")
    assert says in done.err
    assert "Traceback" not in done.err
