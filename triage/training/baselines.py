"""What the model must beat: `python -m triage.training.baselines --data DIR`.

Sentiment: the commonest label, and lexicons: VADER for English where it is installed, for Polish a small list of stems
of our own (the Polish relative of VADER needs a large spaCy model that is not on the package index).
Urgency: the commonest label, and TF-IDF with logistic regression on exactly the rows that taught the model.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from triage.measures import score
from triage.training import data as sets
from triage.training.data import ABSENT, NEUTRAL, SENTIMENT, Example
from triage.training.evaluate import dev_sets

NEGATIVE, POSITIVE = SENTIMENT.index("negative"), SENTIMENT.index("positive")
LIMIT = 0.05
"""Compound scores nearer to zero than this are neutral: the limit VADER's authors give."""


def lexicon(lang: str) -> Callable[[str], float] | None:
    """The compound score (-1 to 1) of a language's lexicon, or None where there is none or it is not installed."""
    if lang == "en" and importlib.util.find_spec("vaderSentiment"):
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer as English

        english = English()
        return lambda text: float(english.polarity_scores(text)["compound"])
    if lang == "pl":
        return _polish
    return None


_GOOD = re.compile(
    r"dobr[aeyoz]|dobrze|świetn|super|polecam|dziękuj|dzięki|wspania|cudown|najleps|miły|miła|miło|pyszn|piękn|"
    r"ładn|zadowol|uwielbiam|kocham|rewelac|profesjonal|brawo|fajn|sympat|gratul|idealn|doskona|pomocn|szczęś|❤|😍|:\)|:D"
)
_BAD = re.compile(
    r"źle|zły|zła|złe|fataln|tragedi|okropn|beznadziej|najgors|masakr|porażk|dramat|nie polecam|oszu[sk]|wstyd|żenad|"
    r"kłam|syf|brud|głup|niestety|nie działa|popsut|zepsu|nienawidz|skandal|chams|rozczarow|problem|drog|kurw|:\(|😡"
)


def _polish(text: str) -> float:
    """Good less bad stems, -1 to 1; "nie polecam" counts as bad only."""
    low = text.lower()
    bad = len(_BAD.findall(low))
    good = len(_GOOD.findall(low.replace("nie polecam", "")))
    return (good - bad) / (good + bad) if good + bad else 0.0


def lexicon_labels(rows: Sequence[Example], measure: Callable[[str], float]) -> np.ndarray:
    """A label for each row; where the set has no neutral, a score of zero counts as positive, the commoner label."""
    compounds = np.array([measure(row.text) for row in rows])
    two_class = np.array([row.two_class for row in rows])
    chosen = np.where(compounds >= LIMIT, POSITIVE, np.where(compounds <= -LIMIT, NEGATIVE, NEUTRAL))
    labels: np.ndarray = np.where(two_class, np.where(compounds < 0, NEGATIVE, POSITIVE), chosen)
    return labels


def train_word_model(rows: Sequence[Example], seed: int = 1) -> Callable[[Sequence[str]], np.ndarray]:
    """TF-IDF of words (1 to 2) and letters (2 to 4) under logistic regression, labels weighted alike."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), min_df=3, sublinear_tf=True),
    )
    model = make_pipeline(features, LogisticRegression(max_iter=300, class_weight="balanced", random_state=seed))
    model.fit([row.text for row in rows], [row.urgency for row in rows])
    return lambda texts: np.asarray(model.predict(list(texts)))


def urgency_rows(plan: sets.Plan, data: Path, lang: str) -> list[Example]:
    return [row for row in sets.read_training(plan, data) if row.lang == lang and row.urgency != ABSENT]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=os.environ.get("DYZUR_DATA"))
    options = parser.parse_args(arguments)
    if options.data is None:
        parser.error("--data is missing: give the folder that holds train/ and dev/, or set DYZUR_DATA")
    plan, data = sets.load_plan(), Path(options.data)
    measured = dev_sets(plan, data)
    for lang in ("en", "pl"):
        rate = lexicon(lang)
        predict = train_word_model(urgency_rows(plan, data, lang))
        for name, rows in measured.items():
            for head in ("sentiment", "urgency"):
                kept = [row for row in rows if row.lang == lang and getattr(row, head) != ABSENT]
                if not kept:
                    continue
                truth = np.array([getattr(row, head) for row in kept])
                _print(name, head, lang, "majority", truth, np.full_like(truth, np.bincount(truth).argmax()))
                if head == "urgency":
                    _print(name, head, lang, "tf-idf", truth, predict([row.text for row in kept]))
                elif rate is not None:
                    _print(name, head, lang, "lexicon", truth, lexicon_labels(kept, rate))


def _print(name: str, head: str, lang: str, kind: str, truth: np.ndarray, chosen: np.ndarray) -> None:
    found = score(truth, chosen, 1 + int(max(truth.max(), chosen.max())))
    print(
        f"{name:22} {head:9} {lang} {kind:8} n={found.count:5} acc={found.accuracy.value:.3f} "
        f"F1={found.macro_f1.value:.3f} recall={found.macro_recall.value:.3f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
