"""`social label` as somebody types it: one key an answer, everything kept at once, files and figures afterwards."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from social import clock
from social.domain.assessment import Flag, Head, Reason, Sentiment, Urgency
from social.store.session import Database
from social.store.tables import LabellingRow
from tests.cast import ANNA, PIOTR
from tests.cli.conftest import Social
from tests.cli.processes import environment
from tests.engine.looking import rows
from tests.factories import assessment, judged, post, profile, remembered

TEXTS = ("Gdzie jest moja paczka, @anna.n?", "Super, trzeci raz to samo \x1b[31m!", "Dziękuję bardzo")
NONE_LEFT = "Nothing of this kind waits for a label: it is all labelled, or nothing was judged yet.\n"


@pytest.fixture
def desk(social: Social, shop: Path) -> Database:
    """Three judged posts of one profile; the second is what the classifier is least sure of, and comes first."""
    assert social("db", "upgrade").code == 0
    return fill(shop, "shop-page", "facebook")


def fill(shop: Path, name: str, network: str) -> Database:
    database = Database(f"sqlite:///{shop}/var/shop.db")
    now = clock.machine_now()
    account = profile(database, name, brand="Shop", network=network, now=now)
    for number, text in enumerate(TEXTS):
        written = post(
            text,
            when=now - timedelta(hours=5 - number),
            by=PIOTR if number == 1 else ANNA,
            native_id=f"{name}-{number}",
            in_reply_to=f"{name}-0" if number == 1 else None,
        )
        unsure = frozenset({Head.SENTIMENT}) if number == 1 else frozenset[Head]()
        reason = Reason(source="rule", name="delivery", evidence="trzeci raz", effect="urgency high")
        sentiment = Sentiment.POSITIVE if number == 2 else Sentiment.NEGATIVE
        judged(
            database,
            remembered(database, account, written),
            assessment(sentiment=sentiment, urgency=Urgency.HIGH, abstained=unsure, reasons=(reason,)),
        )
    return database


def answers(database: Database) -> list[tuple[object, ...]]:
    return [
        (row.post_id, row.sentiment, row.urgency, row.needs_reply)
        for row in rows(database, LabellingRow)
        if row.made_at is not None
    ]


def typed(*keys: str) -> str:
    return "".join(f"{key}\n" for key in keys)


# --- a round -----------------------------------------------------------------------------------------------------------


def test_a_round_shows_the_post_the_guess_and_why_and_keeps_what_is_said(social: Social, desk: Database) -> None:
    done = social("label", "--as", "marek", "--limit", "1", stdin=typed("1", "3", "2"))

    assert done.code == 0, done.err
    assert done.out == "1 labelled.  How it looks now: social label status\n"
    for words in (
        "1 of 1  shop-page (facebook)",
        "It answers somebody else:",
        "Gdzie jest moja paczka, @user?",
        "Super, trzeci raz to samo \ufffd[31m!",
        "Our guess: sentiment negative  (negative 80%, neutral 10%, positive 10%)  (unsure)",
        'Rule delivery: "trzeci raz" -> urgency high',
        "Sentiment?  1 negative  2 neutral  3 positive   [Enter: negative]",
        "Urgency?  1 critical  2 high  3 normal  4 low   [Enter: high]",
    ):
        assert words in done.err
    assert "\x1b" not in done.err
    for name in ("anna.n", "piotrek", "Piotr Z."):
        assert name not in done.err
    assert answers(desk) == [(2, "negative", "normal", False)]


def test_enter_accepts_the_guess_and_x_leaves_a_question_open(social: Social, desk: Database) -> None:
    social("label", "--limit", "1", stdin=typed("", "x", ""))

    assert answers(desk) == [(2, "negative", None, True)]


def test_one_head_asks_one_question_a_post(social: Social, desk: Database) -> None:
    done = social("label", "--head", "sentiment", stdin=typed("3", "s", "2"))

    assert done.out.startswith("2 labelled, 1 skipped.")
    assert "Urgency?" not in done.err
    assert [answer[1:] for answer in answers(desk)] == [("positive", None, None), ("neutral", None, None)]


def test_quitting_keeps_what_was_said_and_holds_nothing(social: Social, desk: Database) -> None:
    social("label", stdin=typed("1", "1", "1", "3", "q"))

    assert [answer[1:] for answer in answers(desk)] == [
        ("negative", "critical", True),
        ("positive", None, None),  # of the post at which they stopped
    ]
    assert len(rows(desk, LabellingRow)) == 2
    again = social("label", "--json").json
    assert len(again) == 1


def test_an_end_of_the_input_is_a_quit(social: Social, desk: Database) -> None:
    done = social("label", stdin=typed("1", "1", "1"))

    assert done.code == 0
    assert len(rows(desk, LabellingRow)) == len(answers(desk)) == 1


def test_undo_goes_back_one_question_and_one_post(social: Social, desk: Database) -> None:
    done = social("label", "--head", "sentiment", stdin=typed("u", "1", "u", "3", "2", "q"))

    assert "Nothing to undo." in done.err
    assert answers(desk)[0][:2] == (2, "positive")
    assert len(answers(desk)) == 2

    social("label", "--limit", "1", stdin=typed("1", "1", "u", "4", "1"))
    assert answers(desk)[-1][1:] == ("negative", "low", True)


def test_topics_and_flags_are_words_and_unknown_ones_are_refused(social: Social, desk: Database) -> None:
    keys = typed("t", "delivery, Staff", "f", "cheating", "f", "legal", "?", "9", "1", "2", "1")
    done = social("label", "--limit", "1", stdin=keys)

    assert "'cheating' is no flag. There are: wants_human" in done.err
    assert "leave this question open" in done.err
    assert "That key says nothing here." in done.err
    (row,) = rows(desk, LabellingRow)
    assert (row.topics, row.flags) == (["delivery", "staff"], [Flag.LEGAL])


def test_it_lists_what_would_be_asked_without_holding_it(social: Social, desk: Database) -> None:
    found = social("label", "--json").json

    assert found[0]["post"] == 2
    assert found[0]["picked"] in ("uncertain", "random")
    assert found[0]["may_teach"] is False
    assert "@anna" not in json.dumps(found)
    assert rows(desk, LabellingRow) == []


def test_a_second_person_is_shown_the_same_post_and_not_what_the_first_said(social: Social, desk: Database) -> None:
    social("label", "--as", "marek", "--limit", "1", stdin=typed("3", "1", "2"))

    done = social("label", "--second", "--as", "hanna", stdin=typed("1", "1", "2"))

    assert done.out.startswith("1 labelled.")
    assert "[Enter: negative]" in done.err  # the classifier's guess, not Marek's positive
    assert "positive\n" not in done.err.split("?  1 negative")[0]
    assert social("label", "--second", "--as", "hanna").out == "Nothing waits for a second label.\n"
    status = social("label", "status", "--json").json
    assert (status["posts"], status["second"]) == (1, 1)
    assert status["heads"][1]["people"] == {"posts": 1, "same": 1, "kappa": None}


def test_when_everything_is_labelled_it_says_so(social: Social, desk: Database) -> None:
    social("label", "--head", "urgency", stdin=typed("", "", ""))

    assert social("label").out == NONE_LEFT
    assert social("label", "--language", "de").out == NONE_LEFT


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--profile", "nobody"), 2, "there is no profile 'nobody'. There are: shop-page."),
        (("--head", "anger"), 2, "sentiment"),
        (("--limit", "0"), 2, "--limit"),
        (("nonsense",), 2, "nonsense"),
    ],
)
def test_wrong_input_is_a_sentence(
    social: Social, desk: Database, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = social("label", *arguments)

    assert done.code == code
    assert says in done.err
    assert "Traceback" not in done.err


def test_the_configuration_is_found_before_the_command_and_before_its_options(
    social: Social, desk: Database, shop: Path
) -> None:
    (shop / "config.toml").rename(shop / "shop.toml")

    for arguments in (("label", "--json"), ("label", "--limit", "2", "--json"), ("label", "status", "--json")):
        assert social("--config", "shop.toml", *arguments).code == 0
    assert social("--config", "shop.toml", "label", "--help").code == 0


# --- a terminal ----------------------------------------------------------------------------------------------------------


#: The terminal that is its standard input becomes its own, so that Ctrl-C reaches it.
_ON_ITS_TERMINAL = """
import fcntl, signal, sys, termios
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background hands down that Ctrl-C is ignored
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from social.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_on_a_terminal_one_key_is_one_answer_and_ctrl_c_lets_go(desk: Database, shop: Path) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _ON_ITS_TERMINAL, "label", "--as", "marek"],
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        start_new_session=True,
        env=environment(),
    )
    os.close(slave)
    seen = b""

    def until(words: bytes) -> None:
        nonlocal seen
        while words not in seen:
            seen += os.read(master, 4096)  # at its end an OSError
        seen = seen.split(words, 1)[1]

    until(b"Sentiment?")
    os.write(master, b"\x1b[A")  # an arrow is no answer
    until(b"says nothing here")
    os.write(master, b"3")
    until(b"Urgency?")
    os.write(master, b"tsta\x7faff\n")
    until(b"topics: staff")
    os.write(master, b"\r")
    until(b"Needs an answer?")
    os.write(master, b"1")
    until(b"2 of 3")
    until(b"Sentiment?")
    os.write(master, b"\x03")

    assert process.wait(timeout=120) == 130
    assert process.stdout is not None
    process.stdout.close()
    os.close(master)
    assert answers(desk) == [(2, "positive", "high", True)]
    (row,) = rows(desk, LabellingRow)
    assert row.topics == ["staff"]


# --- files and figures ------------------------------------------------------------------------------------------------------


def test_a_training_file_leaves_out_what_may_not_teach_and_says_why(social: Social, desk: Database, shop: Path) -> None:
    fill(shop, "shop-x", "twitter")
    fill(shop, "shop-sky", "bluesky")
    social("label", "--as", "marek", "--head", "sentiment", stdin=typed(*[""] * 9))

    done = social("label", "export", "train.jsonl", "--for", "training")

    assert done.code == 0, done.err
    assert done.out == "train.jsonl: 3 labelled posts for training.\n"
    written = [json.loads(line) for line in (shop / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {row["source"] for row in written} == {"bluesky"}
    assert "3 left out. twitter: X: no model is trained on its content." in done.err
    assert "3 left out. facebook: Nobody has read" in done.err
    assert stat.S_IMODE((shop / "train.jsonl").stat().st_mode) == 0o600
    everything = social("label", "export", "all.jsonl", "--json").json
    assert (everything["for"], everything["rows"], everything["left_out"]) == ("evaluation", 9, {})
    assert "anna.n" not in (shop / "all.jsonl").read_text(encoding="utf-8")


def test_a_file_is_not_replaced_by_mistake(social: Social, desk: Database, shop: Path) -> None:
    (shop / "mine.jsonl").write_text("mine")

    refused = social("label", "export", "mine.jsonl")

    assert refused.code == 2
    assert refused.err == "mine.jsonl: there is a file already. Replace it with --force.\n"
    assert (shop / "mine.jsonl").read_text() == "mine"
    assert social("label", "export", "mine.jsonl", "--force").code == 0
    assert (shop / "mine.jsonl").read_text() == ""


def test_status_tells_counts_and_agreement(social: Social, desk: Database) -> None:
    assert social("label", "status").out == "No labels yet. Make some with: social label\n"
    social("label", "--as", "marek", stdin=typed("", "2", "", "3", "1", "x"))

    done = social("label", "status")

    assert done.out.startswith("2 posts labelled, 0 of them by a second person; 0 may teach.\n")
    for words in ("sentiment 2, urgency 2, needs_reply 1", "pl 2", "facebook 2", "People and fake@1:"):
        assert words in done.out
