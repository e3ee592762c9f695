"""Agreement, counted by hand: kappa, the share that is right on random posts, and how sure that share is."""

from __future__ import annotations

import pytest

from social.domain.assessment import Head, ModelIdentity, Sentiment, Urgency
from social.domain.label import Answer, Picked
from social.reports.labels import accuracy, agreement, status_of
from social.store.label_rows import Labelled
from tests.cast import at

OLD, NEW = ModelIdentity(id="triage", version="1"), ModelIdentity(id="triage", version="2")


def one(post_id: int, said: Answer, guessed: Answer, **how: object) -> Labelled:
    values: dict[str, object] = {
        "post_id": post_id,
        "revision_number": 1,
        "network": "net",
        "private": False,
        "text": "x",
        "our_handle": None,
        "language": "pl",
        "made_at": at("2026-11-20 10:00"),
        "user_id": 1,
        "turn": 1,
        "picked": Picked.RANDOM,
        "may_teach": True,
        "answer": said,
        "guess": guessed,
        "model": NEW,
    }
    return Labelled(**{**values, **how})  # type: ignore[arg-type]


def feels(sentiment: Sentiment) -> Answer:
    return Answer(sentiment=sentiment)


def test_kappa_is_what_a_textbook_says() -> None:
    # 20 both yes, 5 and 10 apart, 15 both no: observed 0.7, by chance 0.5
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15

    found = agreement(pairs)

    assert (found.posts, found.same, found.kappa) == (50, 35, 0.4)


@pytest.mark.parametrize(("pairs", "posts"), [([], 0), ([("a", "a")] * 3, 3), ([("a", None), (None, "b")], 0)])
def test_where_chance_explains_everything_kappa_is_undefined(pairs: list[tuple[str, str]], posts: int) -> None:
    found = agreement(pairs)

    assert (found.posts, found.kappa) == (posts, None)


@pytest.mark.parametrize(
    ("right", "posts", "low", "high"),
    # R's binom.confint(method = "wilson")
    [(8, 10, 0.490, 0.943), (0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0), (50, 100, 0.404, 0.596)],
)
def test_the_interval_is_wilsons(right: int, posts: int, low: float, high: float) -> None:
    found = accuracy(right, posts)

    assert (found.low, found.high) == pytest.approx((low, high), abs=0.001)
    assert accuracy(0, 0).share is None


def test_only_random_posts_say_how_often_the_classifier_is_right() -> None:
    wrong = [
        one(number, feels(Sentiment.POSITIVE), feels(Sentiment.NEGATIVE), picked=Picked.UNCERTAIN)
        for number in range(8)
    ]
    right = [one(number, feels(Sentiment.NEGATIVE), feels(Sentiment.NEGATIVE)) for number in (10, 11)]

    found = status_of([*wrong, *right]).heads[0]

    assert found.head is Head.SENTIMENT
    assert (found.model.posts, found.model.same) == (10, 2)
    assert (found.accuracy.posts, found.accuracy.share) == (2, 1.0)


def test_guesses_of_an_older_model_do_not_count_for_the_present_one() -> None:
    guess = feels(Sentiment.NEGATIVE)
    found = status_of([one(1, feels(Sentiment.POSITIVE), guess, model=OLD), one(2, guess, guess, language="en")])

    assert (found.model, found.older, found.heads[0].accuracy.posts) == ("triage@2", 1, 1)
    assert found.by_language == {"pl": 1, "en": 1}


def test_people_are_compared_with_each_other_and_a_second_label_is_no_second_post() -> None:
    said = Answer(sentiment=Sentiment.NEGATIVE, urgency=Urgency.HIGH)
    again = Answer(sentiment=Sentiment.NEGATIVE, urgency=Urgency.LOW)
    found = status_of([one(1, said, said), one(1, again, said, turn=2, user_id=2), one(2, said, said)])

    assert (found.posts, found.second) == (2, 1)
    figures = {one.head: one.people for one in found.heads}
    assert (figures[Head.SENTIMENT].posts, figures[Head.SENTIMENT].same) == (1, 1)
    assert (figures[Head.URGENCY].posts, figures[Head.URGENCY].same) == (1, 0)
    assert figures[Head.NEEDS_REPLY].posts == 0
    assert found.by_head == {"sentiment": 2, "urgency": 2, "needs_reply": 0, "topics": 0, "flags": 0}
