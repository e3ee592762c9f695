"""What people said as a file: what a network's terms keep out of training never gets in, by no way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from connectors import registry
from social.domain.assessment import Flag, Head, Sentiment, Urgency
from social.domain.label import TOPICS, Answer
from social.engine import correcting, labelling
from social.engine.label_file import LabelFile, Purpose, label_file, masked
from social.ports import Capabilities
from social.store.label_picks import Wish
from social.store.mapping import Profile
from social.store.rows import t
from social.store.session import Database
from social.store.tables import LabellingRow, ProfileRow
from tests.cast import HANNA, MAREK, at
from tests.engine.looking import rows
from tests.factories import case, judged, post, profile, remembered

ROOT = Path(__file__).parents[2]
ASKED = at("2026-11-20 10:00")
#: Networks of the house whose terms let their texts teach, and those whose terms do not, or are not known to.
TEACHING = [kind for kind in registry.kinds() if registry.load(kind).capabilities.texts_may_teach]
SILENT = [kind for kind in registry.kinds() if kind not in TEACHING]


def account(database: Database, network: str) -> Profile:
    return profile(database, f"shop-{network}", network=network)


def labelled(
    database: Database, shop: Profile, text: str, *, user: str = MAREK, second: bool = False, **how: Any
) -> int:
    """A judged post with ``user``'s label; ``said`` in ``how`` is what they say."""
    said = how.pop("said", {"sentiment": Sentiment.NEGATIVE})
    written = post(text, when=ASKED, native_id=f"{shop.name}-{text[:20]}", **how)
    row_id = remembered(database, shop, written)
    if not second:
        judged(database, row_id)
    wish = Wish(limit=1000, second=second)
    (pick,) = (pick for pick in labelling.picks(database, wish, user=user) if pick.post_id == row_id)
    held = labelling.take(database, pick, wish, user=user, now=ASKED)
    assert held is not None
    labelling.keep(database, held, Answer(**said), now=ASKED)
    return row_id


def texts(made: LabelFile) -> Sequence[str]:
    return [row["text"] for row in made.rows]


# --- the rule ------------------------------------------------------------------------------------------------------------


def test_a_connector_that_says_nothing_teaches_nothing() -> None:
    silent = Capabilities(
        threads=True, own_reply_lookup=True, edits=True, deletions=True, history=registry.load(SILENT[0]).capabilities.history
    )  # fmt: skip

    assert silent.texts_may_teach is False


def test_x_teaches_nothing_and_says_by_which_rule() -> None:
    rule = labelling.teaching("twitter")

    assert "twitter" in SILENT
    assert not rule.allowed
    assert "no model is trained" in rule.reason
    assert "https://docs.x.com/developer-guidelines" in rule.reason


@pytest.mark.parametrize("network", TEACHING)
def test_a_network_that_lets_its_texts_teach_says_where_that_was_read(network: str) -> None:
    rule = registry.load(network).capabilities.teaching_rule

    assert rule is not None
    assert rule.source


@pytest.mark.parametrize("network", [*SILENT, "a network that is not installed"])
def test_no_text_of_such_a_network_is_in_a_training_file(store_database: Database, network: str) -> None:
    shop = account(store_database, network)
    labelled(store_database, shop, "Gdzie paczka?")
    labelled(store_database, account(store_database, TEACHING[0]), "Gdzie moja?")

    made = label_file(store_database, Purpose.TRAINING)

    assert texts(made) == ["Gdzie moja?"]
    ((reason, count),) = made.left_out.items()
    assert (reason.split(":")[0], count) == (network, 1)
    assert sorted(texts(label_file(store_database, Purpose.EVALUATION))) == ["Gdzie moja?", "Gdzie paczka?"]
    flags = {row.network: row.may_teach for row in rows(store_database, LabellingRow)}
    assert flags == {network: False, TEACHING[0]: True}


def test_a_row_that_claims_to_may_teach_does_not_if_its_network_forbids_it_now(store_database: Database) -> None:
    labelled(store_database, account(store_database, "twitter"), "Gdzie paczka?")
    with store_database.write() as session:
        session.execute(update(t(LabellingRow)).values(may_teach=True))

    assert label_file(store_database, Purpose.TRAINING).rows == ()


def test_a_row_from_before_a_network_allowed_it_does_not_teach(store_database: Database) -> None:
    labelled(store_database, account(store_database, TEACHING[0]), "Gdzie paczka?")
    with store_database.write() as session:
        session.execute(update(t(LabellingRow)).values(may_teach=False))

    made = label_file(store_database, Purpose.TRAINING)

    assert made.rows == ()
    assert "did not allow it when the label was made" in next(iter(made.left_out))


def test_private_messages_never_teach(store_database: Database) -> None:
    labelled(store_database, account(store_database, TEACHING[0]), "Mój numer to 7", private=True)

    made = label_file(store_database, Purpose.TRAINING)

    assert made.rows == ()
    assert made.left_out == {labelling.PRIVATE: 1}
    assert [row.may_teach for row in rows(store_database, LabellingRow)] == [False]


@pytest.mark.parametrize(("network", "teaches"), [("twitter", 0), (TEACHING[0], 1)])
def test_corrections_on_cases_are_in_the_files_by_the_same_rule(
    store_database: Database, network: str, teaches: int
) -> None:
    row_id = remembered(store_database, account(store_database, network), post("Gdzie paczka?", when=ASKED))
    case_id = case(store_database, row_id)
    for value in ("high", "critical"):
        correcting.correct(store_database, case_id, row_id, {Head.URGENCY: value}, user=MAREK, now=ASKED)

    (row,) = label_file(store_database, Purpose.EVALUATION).rows

    assert (row["urgency"], row["picked"]) == ("critical", "desk")
    assert "sentiment" not in row
    assert len(label_file(store_database, Purpose.TRAINING).rows) == teaches


# --- the rows ------------------------------------------------------------------------------------------------------------


def test_a_row_has_the_corpus_words_and_only_what_somebody_said(store_database: Database) -> None:
    said = {
        "sentiment": Sentiment.NEGATIVE,
        "urgency": Urgency.HIGH,
        "needs_reply": True,
        "topics": frozenset({"payment", "delivery"}),
        "flags": frozenset({Flag.FRAUD}),
    }
    shop = account(store_database, TEACHING[0])
    whole = labelled(store_database, shop, "Oddajcie pieniądze", said=said)
    labelled(store_database, shop, "Hm", said={"needs_reply": False})

    first, second = label_file(store_database, Purpose.TRAINING).rows

    assert json.loads(json.dumps(first)) == {
        "id": f"post-{whole}",
        "text": "Oddajcie pieniądze",
        "lang": "pl",
        "sentiment": "negative",
        "urgency": "high",
        "needs_reply": True,
        "topics": ["delivery", "payment"],
        "flags": ["fraud"],
        "source": TEACHING[0],
        "picked": first["picked"],
        "labelled_at": "2026-11-20T09:00:00+00:00",
        "model": "fake@1",
    }
    assert second["needs_reply"] is False
    assert {"sentiment", "urgency", "topics", "flags"} & set(second) == set()


def test_a_text_that_its_author_changed_since_is_left_out(store_database: Database) -> None:
    shop = account(store_database, TEACHING[0])
    labelled(store_database, shop, "Oddajcie!")
    edited = post("Już dobrze", when=ASKED, native_id=f"{shop.name}-Oddajcie!", revision="2")
    remembered(store_database, shop, edited, now=ASKED + timedelta(hours=1))

    for purpose in Purpose:
        made = label_file(store_database, purpose)
        assert made.rows == ()
        assert "changed the post since" in next(iter(made.left_out))


def test_what_two_people_differ_on_is_marked_and_teaches_nothing(store_database: Database) -> None:
    shop = account(store_database, TEACHING[0])
    labelled(store_database, shop, "Super", said={"sentiment": Sentiment.POSITIVE, "urgency": Urgency.LOW})
    labelled(
        store_database, shop, "Super", user=HANNA, second=True,
        said={"sentiment": Sentiment.NEGATIVE, "urgency": Urgency.LOW},
    )  # fmt: skip

    (row,) = label_file(store_database, Purpose.EVALUATION).rows
    (taught,) = label_file(store_database, Purpose.TRAINING).rows

    assert (row["sentiment"], row["disputed"]) == ("positive", ["sentiment"])
    assert "sentiment" not in taught
    assert taught["urgency"] == "low"


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("@Lawenda gdzie?", "@brand gdzie?"),
        ("hej @anna.n.", "hej @user."),
        ("@lawenda.bsky.social i @ala@serwer.pl", "@user i @user"),
        ("pisz na a@b.pl", "pisz na a@b.pl"),
    ],
)
def test_names_are_levelled_as_the_classifier_levels_them(text: str, becomes: str) -> None:
    assert masked(text, "@lawenda") == becomes


def test_names_of_other_people_are_in_no_file(store_database: Database) -> None:
    shop = account(store_database, TEACHING[0])
    with store_database.write() as session:
        session.execute(update(t(ProfileRow)).values(account_handle="lawenda"))
    labelled(store_database, shop, "@lawenda @piotrek ma rację \ud800")

    (row,) = label_file(store_database, Purpose.TRAINING).rows

    assert row["text"] == "@brand @user ma rację \ud800"


def test_an_answer_knows_the_topics_of_the_corpus() -> None:
    corpus = {
        topic
        for file in (ROOT / "triage" / "training" / "corpus").glob("*.jsonl")
        for line in file.read_text(encoding="utf-8").splitlines()
        for topic in json.loads(line)["topics"]
    }

    assert corpus
    assert corpus <= set(TOPICS)
