"""Which texts a run draws, and what happens to them on the way."""

from __future__ import annotations

import random

import numpy as np
import pytest

from triage.training.data import CORPUS, Example, Stage, augment, draw_chances, draw_pool, read_stage, strip_diacritics


def stage(**changes: object) -> Stage:
    values: dict[str, object] = {
        "name": "brand", "samples": 1000, "batch": 8, "tokens": 32, "learning_rate": 1e-4,
        "head_learning_rate": 1e-3, "warm_up": 0.1, "corpus_share": 0.5, "max_repeat": 1000.0, "augment": 0.5,
        "shares": {"pl": 0.6, "en": 0.3, "other": 0.1},
    }  # fmt: skip
    return Stage(**{**values, **changes})  # type: ignore[arg-type]


def examples() -> list[Example]:
    def some(count: int, lang: str, sentiment: int, source: str = "set", urgency: int = -1) -> list[Example]:
        return [
            Example(
                text=f"{lang} {source} {sentiment} {i}", lang=lang, source=source, sentiment=sentiment, urgency=urgency
            )
            for i in range(count)
        ]

    return (
        some(400, "en", 0)
        + some(100, "en", 1)
        + some(50, "pl", 2)
        + some(30, "de", 0)
        + some(20, "fr", 0)
        + some(40, "pl", 1, CORPUS, urgency=0)
        + some(10, "pl", 1, CORPUS, urgency=3)
        + some(20, "en", 1, CORPUS, urgency=1)
    )


def share(chances: np.ndarray, rows: list[Example], **wanted: object) -> float:
    return float(
        sum(c for c, row in zip(chances, rows, strict=True) if all(getattr(row, k) == v for k, v in wanted.items()))
    )


def test_it_gives_the_corpus_and_each_language_their_shares() -> None:
    rows = examples()
    chances = draw_chances(rows, stage())
    assert chances.sum() == pytest.approx(1.0)
    # German and French share "other"; the corpus has neither, so its languages fill its half
    corpus = share(chances, rows, source=CORPUS)
    public = 1 - corpus
    assert corpus / public == pytest.approx(0.9, rel=0.01)
    assert share(chances, rows, source="set", lang="pl") / public == pytest.approx(0.6, rel=0.01)
    assert share(chances, rows, source="set", lang="de") == pytest.approx(share(chances, rows, source="set", lang="fr"))


def test_it_draws_rare_labels_more_often_than_their_number_but_less_than_evenly() -> None:
    rows = examples()
    chances = draw_chances(rows, stage())
    many, few = (share(chances, rows, source="set", lang="en", sentiment=label) for label in (0, 1))
    assert many / few == pytest.approx(2.0, rel=0.01)  # the root of 400 to 100


def test_it_draws_no_public_text_more_often_than_allowed() -> None:
    rows = examples()
    limited = stage(max_repeat=2.0, corpus_share=0.0)
    loose = draw_chances(rows, stage(corpus_share=0.0)).max()
    tight = draw_chances(rows, limited).max()
    assert tight < loose


def test_it_draws_nothing_from_the_corpus_where_its_share_is_nought() -> None:
    rows = examples()
    assert share(draw_chances(rows, stage(corpus_share=0.0)), rows, source=CORPUS) == 0.0


def test_it_draws_the_same_pool_for_the_same_seed_and_number() -> None:
    rows = examples()
    chances = draw_chances(rows, stage())
    first = draw_pool(rows, chances, stage(), seed=1, number=3, size=50)
    assert draw_pool(rows, chances, stage(), seed=1, number=3, size=50) == first
    assert draw_pool(rows, chances, stage(), seed=1, number=4, size=50) != first
    assert draw_pool(rows, chances, stage(), seed=2, number=3, size=50) != first


def test_a_stage_with_a_mix_draws_its_groups_by_their_shares_and_nothing_else() -> None:
    rows = [*examples(), Example(text="new", lang="pl", source=CORPUS, file="pl_new", sentiment=0)]
    mix = ((("corpus/pl_new",), 0.3), (("corpus",), 0.5), (("set",), 0.2))
    chances = draw_chances(rows, stage(mix=mix))
    assert chances[-1] == pytest.approx(0.3)
    assert share(chances, rows, source="set") == pytest.approx(0.2)
    assert share(draw_chances(rows, stage(mix=mix[:2])), rows, source="set") == 0.0


@pytest.mark.parametrize("more", [{}, {"shares": {"other": 1.0}, "mix": [{"of": ["set"], "share": 1.0}]}])
def test_a_stage_draws_by_languages_or_by_a_mix(more: dict[str, object]) -> None:
    entry = {
        "samples": 1,
        "batch": 1,
        "tokens": 8,
        "learning_rate": 1e-4,
        "head_learning_rate": 1e-3,
        "warm_up": 0.1,
        "augment": 0.0,
    }
    with pytest.raises(ValueError, match="stage tune: it draws by"):
        read_stage("tune", {**entry, **more})


def test_a_mix_that_names_what_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="corpus/pl_missing"):
        draw_chances(examples(), stage(mix=((("corpus/pl_missing",), 1.0),)))


def test_it_takes_polish_letters_away_and_nothing_else() -> None:
    assert strip_diacritics("Zażółć gęślą jaźń, ŁÓDŹ!") == "Zazolc gesla jazn, LODZ!"


def test_it_varies_a_text_but_never_empties_it() -> None:
    rng = random.Random(3)
    text = "@user Gdzie jest moja przesyłka? Czekam już tydzień, nikt nie odpisuje."
    variants = {augment(text, "pl", 1.0, rng) for _ in range(30)}
    assert len(variants) > 10
    assert all(variant.strip() for variant in variants)
    assert {augment(short, "pl", 1.0, rng).strip() == "" for short in ("?", "!", "a", "@user") for _ in range(30)} == {
        False
    }


def test_it_leaves_texts_alone_where_nothing_is_to_vary() -> None:
    assert augment("Żółw @user.", "pl", 0.0, random.Random(1)) == "Żółw @user."


def test_it_draws_other_questions_by_their_share_of_the_stage() -> None:
    rows = [Example(text=f"s{i}", lang="en", source="a", sentiment=0) for i in range(100)]
    rows += [Example(text=f"h{i}", lang="en", source="b", harm=(1, 0)) for i in range(100)]
    for part in (1.0, 0.25):
        chances = draw_chances(rows, stage(tasks={"harm": part}))
        assert share(chances, rows, source="b") == pytest.approx(part / (1 + part), rel=0.01)
