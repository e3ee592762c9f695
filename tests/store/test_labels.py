"""What people say of judgements: who is shown what, one person a post, kept at once, gone with the text."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from social.clock import SteppedClock
from social.domain.assessment import Flag, Head, Sentiment, Urgency
from social.domain.errors import Conflict
from social.domain.label import Answer, Picked
from social.domain.post import Author, Gone
from social.engine import labelling, upkeep
from social.engine.labelling import Held
from social.store import erasure, label_picks, label_rows, mentions, posts, retention
from social.store.label_picks import EVERY, Pick, Wish
from social.store.mapping import Profile
from social.store.rows import t
from social.store.session import Database
from social.store.subject_access import export_author
from social.store.tables import LabellingRow
from tests.cast import ANNA, HANNA, MAREK, PIOTR, at
from tests.engine.looking import rows
from tests.factories import assessment, desk_for, judged, post, profile, remembered
from tests.fakes import FakeConnector

ASKED = at("2026-11-20 10:00")
WISH = Wish(limit=1000)


def doubtful(first: float, *, abstained: frozenset[Head] = frozenset(), language: str = "pl"):
    """A judgement whose sentiment is ahead by ``2 * first - 1``."""
    scores = {Sentiment.NEGATIVE: first, Sentiment.NEUTRAL: 1 - first, Sentiment.POSITIVE: 0.0}
    return replace(
        assessment(sentiment=Sentiment.NEGATIVE, language=language), sentiment_scores=scores, abstained=abstained
    )


def asked(database: Database, shop: Profile, text: str, *, minutes: int = 0, by: Author = ANNA, **how: object) -> int:
    return remembered(database, shop, post(text, when=ASKED + timedelta(minutes=minutes), by=by, **how))


def judged_posts(database: Database, shop: Profile, count: int, **how: object) -> list[int]:
    ids = []
    for number in range(count):
        row_id = asked(database, shop, f"Pytanie numer {number}", minutes=number, **how)
        judged(database, row_id, doubtful(0.55 + 0.4 * number / count))
        ids.append(row_id)
    return ids


def picks(database: Database, wish: Wish = WISH, user: str = MAREK) -> list[Pick]:
    return labelling.picks(database, wish, user=user)


def taken(database: Database, pick: Pick, user: str = MAREK, wish: Wish = WISH) -> Held:
    held = labelling.take(database, pick, wish, user=user, now=ASKED)
    assert held is not None
    return held


def label(database: Database, row_id: int, user: str = MAREK, wish: Wish = WISH, **said: object) -> Held:
    """``user`` says it of this post."""
    (pick,) = (pick for pick in picks(database, wish, user) if pick.post_id == row_id)
    held = taken(database, pick, user, wish)
    labelling.keep(database, held, Answer(**(said or {"sentiment": Sentiment.POSITIVE})), now=ASKED)
    return held


# --- which posts ---------------------------------------------------------------------------------------------------------


def test_the_most_uncertain_come_first_and_abstained_ones_before_all(store_database: Database) -> None:
    shop = profile(store_database)
    ids = judged_posts(store_database, shop, 40)
    unsure = asked(store_database, shop, "Meh", minutes=99)
    judged(store_database, unsure, doubtful(0.99, abstained=frozenset({Head.SENTIMENT})))

    found = [pick.post_id for pick in picks(store_database, Wish(head=Head.SENTIMENT, limit=1000))]
    hard = [
        pick.post_id
        for pick in picks(store_database, Wish(head=Head.SENTIMENT, limit=1000))
        if pick.picked is Picked.UNCERTAIN
    ]

    assert sorted(found) == sorted([*ids, unsure])
    assert hard == [unsure, *(row_id for row_id in ids if row_id in hard)]  # the margins grow with the ids
    assert [*picks(store_database, WISH)] == [*picks(store_database, WISH)]


def test_one_in_five_is_drawn_at_random_and_stays_a_fair_sample_over_rounds(store_database: Database) -> None:
    shop = profile(store_database)
    judged_posts(store_database, shop, 60)
    everything = {pick.post_id: pick.picked for pick in picks(store_database)}

    first = picks(store_database, Wish(limit=20))

    assert sum(pick.picked is Picked.RANDOM for pick in first) == 20 // EVERY
    for start in range(0, 20, EVERY):
        assert sum(pick.picked is Picked.RANDOM for pick in first[start : start + EVERY]) == 1
    for pick in first:
        labelling.keep(store_database, taken(store_database, pick), Answer(needs_reply=True), now=ASKED)
    # however hard the ones were that went: which fifth is drawn from does not change
    later = picks(store_database)
    assert {pick.post_id: pick.picked for pick in later} == {
        row_id: picked for row_id, picked in everything.items() if row_id not in {pick.post_id for pick in first}
    }


def test_only_posts_that_stand_as_they_were_judged_are_shown(store_database: Database) -> None:
    shop = profile(store_database)
    asked(store_database, shop, "Jeszcze nie oceniony")
    edited = post("Stara treść", when=ASKED + timedelta(minutes=1))
    judged(store_database, remembered(store_database, shop, edited))
    remembered(store_database, shop, replace(edited, text="Nowa treść", revision="2"), now=ASKED)
    deleted = asked(store_database, shop, "Skasowany", minutes=2)
    judged(store_database, deleted)
    own = asked(store_database, shop, "Nasz", minutes=3, ours=True)
    judged(store_database, own)
    german = asked(store_database, shop, "Wo ist mein Paket?", minutes=4)
    judged(store_database, german, assessment(language="de"))
    other = profile(store_database, "other-net")
    elsewhere = asked(store_database, other, "Gdzie indziej", minutes=5)
    judged(store_database, elsewhere)
    with store_database.write() as session:
        posts.forget_deleted(session, shop, [Gone(native_id=f"{ANNA.native_id}-1120T100200")], now=ASKED)

    assert {pick.post_id for pick in picks(store_database)} == {german, elsewhere}
    assert [pick.post_id for pick in picks(store_database, Wish(language="de"))] == [german]
    assert [pick.post_id for pick in picks(store_database, Wish(profile="other-net"))] == [elsewhere]


def test_a_post_is_shown_without_its_author_and_with_what_it_answers(store_database: Database) -> None:
    shop = profile(store_database)
    first = post("Gdzie paczka?", when=ASKED)
    judged(store_database, remembered(store_database, shop, first))
    answer = post("Tak, dalej nic", when=ASKED + timedelta(minutes=9), by=PIOTR, in_reply_to=first.native_id)
    row_id = remembered(store_database, shop, answer)
    judged(store_database, row_id)

    with store_database.read() as session:
        shown = label_rows.shown(session, row_id)

    assert shown is not None
    assert (shown.text, shown.answered, shown.answered_voice) == ("Tak, dalej nic", "Gdzie paczka?", "somebody else")
    assert PIOTR.handle not in repr(shown)


# --- one person a post -----------------------------------------------------------------------------------------------------


def test_two_people_never_hold_the_same_post(new_store_database: Callable[[], Database]) -> None:
    database = new_store_database()
    shop = profile(database)
    judged_posts(database, shop, 12)
    todo = picks(database, Wish(limit=12))
    barrier, got = threading.Barrier(2), {MAREK: [], HANNA: []}
    for user in got:  # a name is made when it acts for the first time: not both at once here
        labelling.release(database, taken(database, todo[0], user))

    def work(user: str, own: Database) -> None:
        barrier.wait(timeout=60)
        for pick in todo:
            held = labelling.take(own, pick, WISH, user=user, now=ASKED)
            if held is not None:
                got[user].append(pick.post_id)
                labelling.keep(own, held, Answer(urgency=Urgency.LOW), now=ASKED)

    threads = [threading.Thread(target=work, args=(user, new_store_database())) for user in got]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)

    assert sorted(got[MAREK] + got[HANNA]) == sorted(pick.post_id for pick in todo)
    assert len(rows(database, LabellingRow)) == 12


def test_who_is_later_is_told_and_gets_it_once_it_is_free(store_database: Database) -> None:
    judged_posts(store_database, profile(store_database), 1)
    (pick,) = picks(store_database)
    held = taken(store_database, pick)

    assert picks(store_database, user=HANNA) == []
    assert labelling.take(store_database, pick, WISH, user=HANNA, now=ASKED) is None
    labelling.release(store_database, held)
    assert [found.post_id for found in picks(store_database, user=HANNA)] == [pick.post_id]
    assert taken(store_database, pick, HANNA).claim.id > 0


def test_a_claim_of_somebody_who_went_away_ends_and_their_late_answer_is_refused(store_database: Database) -> None:
    judged_posts(store_database, profile(store_database), 1)
    (pick,) = picks(store_database)
    gone = taken(store_database, pick)
    with store_database.write() as session:
        session.execute(update(t(LabellingRow)).values(leased_until=at("2020-01-01 00:00")))

    labelling.keep(store_database, taken(store_database, pick, HANNA), Answer(needs_reply=False), now=ASKED)

    with pytest.raises(Conflict, match=r"somebody else took it.*not kept"):
        labelling.keep(store_database, gone, Answer(needs_reply=True), now=ASKED)
    (row,) = rows(store_database, LabellingRow)
    assert row.needs_reply is False


def test_a_label_is_kept_with_what_was_guessed_then(store_database: Database) -> None:
    (row_id,) = judged_posts(store_database, profile(store_database), 1)

    label(store_database, row_id, urgency=Urgency.HIGH, flags=frozenset({Flag.FRAUD}), topics=frozenset({"payment"}))

    (row,) = rows(store_database, LabellingRow)
    assert (row.sentiment, row.urgency, row.needs_reply, row.flags, row.topics) == (
        None, "high", None, ["fraud"], ["payment"],
    )  # fmt: skip
    assert (row.guess["sentiment"], row.guess["sentiment_scores"]["neutral"]) == ("negative", 0.45)
    assert (row.model_id, row.model_version, row.network, row.made_at) == ("fake", "1", "fake", ASKED)
    assert picks(store_database) == []


def test_undo_takes_a_label_back_into_the_same_hands(store_database: Database) -> None:
    (row_id,) = judged_posts(store_database, profile(store_database), 1)
    held = label(store_database, row_id, sentiment=Sentiment.POSITIVE)

    assert labelling.undo(store_database, held)

    (row,) = rows(store_database, LabellingRow)
    assert (row.made_at, row.sentiment) == (None, None)
    assert picks(store_database, user=HANNA) == []
    with store_database.read() as session:
        assert list(label_rows.of_rounds(session)) == []
    labelling.keep(store_database, held, Answer(sentiment=Sentiment.NEUTRAL), now=ASKED)
    assert [row.sentiment for row in rows(store_database, LabellingRow)] == ["neutral"]


def test_a_second_person_labels_what_a_first_one_did_and_nobody_does_both(store_database: Database) -> None:
    first, untouched = judged_posts(store_database, profile(store_database), 2)
    second = Wish(limit=10, second=True)
    label(store_database, first)
    again, without_first = (
        Pick(post_id=row_id, revision_number=1, network="fake", private=False, picked=Picked.UNCERTAIN)
        for row_id in (first, untouched)
    )

    assert picks(store_database, second, MAREK) == []
    assert labelling.take(store_database, again, second, user=MAREK, now=ASKED) is None
    assert labelling.take(store_database, without_first, second, user=HANNA, now=ASKED) is None
    assert [pick.post_id for pick in picks(store_database, second, HANNA)] == [first]
    label(store_database, first, HANNA, second, sentiment=Sentiment.NEUTRAL)

    assert picks(store_database, second, "zofia") == []
    with store_database.read() as session:
        ((one, other),) = label_rows.pairs(list(label_rows.of_rounds(session)))
    assert (one.answer.sentiment, other.answer.sentiment) == (Sentiment.POSITIVE, Sentiment.NEUTRAL)


# --- gone with the text ------------------------------------------------------------------------------------------------------


def test_a_label_goes_with_a_post_that_its_author_deletes(store_database: Database) -> None:
    shop = profile(store_database)
    kept, gone = judged_posts(store_database, shop, 2)
    label(store_database, kept)
    label(store_database, gone)
    held = label(store_database, gone, HANNA, Wish(second=True))

    with store_database.write() as session:
        posts.forget_deleted(session, shop, [Gone(native_id=f"{ANNA.native_id}-1120T100100")], now=ASKED)

    assert [row.post_id for row in rows(store_database, LabellingRow)] == [kept]
    assert not labelling.undo(store_database, held)


@pytest.mark.parametrize("how", ["deleted", "edited"])
def test_an_answer_to_a_post_that_changed_meanwhile_is_refused(store_database: Database, how: str) -> None:
    shop = profile(store_database)
    asked_first = post("Gdzie paczka?", when=ASKED)
    judged(store_database, remembered(store_database, shop, asked_first))
    (pick,) = picks(store_database)
    held = taken(store_database, pick)
    with store_database.write() as session:
        if how == "deleted":
            posts.forget_deleted(session, shop, [Gone(native_id=asked_first.native_id)], now=ASKED)
        else:
            posts.remember(session, shop, [replace(asked_first, text="Już jest", revision="2")], now=ASKED)

    with pytest.raises(Conflict, match="changed or deleted"):
        labelling.keep(store_database, held, Answer(needs_reply=True), now=ASKED)

    assert [row for row in rows(store_database, LabellingRow) if row.made_at is not None] == []


def test_forgetting_an_author_takes_their_labels_and_leaves_those_of_others(store_database: Database) -> None:
    shop = profile(store_database)
    hers = asked(store_database, shop, "Gdzie paczka?")
    his = asked(store_database, shop, "A moja?", by=PIOTR)
    for row_id in (hers, his):
        judged(store_database, row_id)
        label(store_database, row_id)
    reading = asked(store_database, shop, "Halo?", minutes=7)
    judged(store_database, reading)
    (pick,) = picks(store_database)
    held = taken(store_database, pick)
    with store_database.read() as session:
        known = erasure.find(session, "fake", ANNA.native_id)
    exported = export_author(store_database, known, now=ASKED)["data"]["labels by people"]
    assert [(row["post_id"], row["sentiment"]) for row in exported] == [(hers, "positive"), (reading, None)]

    with store_database.write() as session:
        erasure.forget(session, known, by=MAREK, reason="asked", now=ASKED)
    mentions.scrub(store_database, mentions.Names.of(known))

    assert [row.post_id for row in rows(store_database, LabellingRow)] == [his]
    with pytest.raises(Conflict, match="erased"):
        labelling.keep(store_database, held, Answer(needs_reply=True), now=ASKED)
    assert labelling.take(store_database, pick, WISH, user=MAREK, now=ASKED) is None


def test_a_label_is_purged_with_its_text(store_database: Database) -> None:
    clock = SteppedClock(ASKED)
    desk = desk_for(store_database, clock, FakeConnector(clock))
    shop = profile(store_database)
    (old,) = judged_posts(store_database, shop, 1)
    label(store_database, old)
    later = ASKED + retention.Limits().texts + timedelta(days=1)
    young = remembered(store_database, shop, post("Nowe", when=later, by=PIOTR))
    judged(store_database, young)
    label(store_database, young)

    while upkeep.purge_some(desk, later):
        pass

    assert [row.post_id for row in rows(store_database, LabellingRow)] == [young]


def test_a_round_looks_at_the_newest_judgements_first(store_database: Database) -> None:
    shop = profile(store_database)
    ids = judged_posts(store_database, shop, 6)

    with store_database.read() as session:
        query = label_picks._free(session, WISH, None)
        assert [row.id for row in session.execute(query.limit(3))] == ids[:-4:-1]
