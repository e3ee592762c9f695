"""How many posts a second we judge, beside what else one could run: the same texts on the same cores, in one run.

    python benchmarks/triage.py [--posts 400] [--threads 0] [--model FOLDER] [--texts FILE.jsonl]

Ours is everything that the desk does with a post (rules, language, model) under each runtime: the default, onnxruntime and
our transformers backend. The others: the Hugging Face pipeline on the same weights as one would call it first (one by one,
and batch_size=32), a lexicon (VADER for English; polVADER for Polish where its spaCy model is installed, else a short list
of stems), and the limit of float32: what a perfect matrix multiply of the encoder's operations would give at the rate
that numpy reaches here. What is not installed is skipped with a sentence.

``cpu`` is posts in a second of processor time times the threads: what an idle machine would show, also while this one is
busy. ``agrees``: labels like those of onnxruntime in float32; ``flips``: texts whose labels differ alone and in a batch;
``F1``: macro-F1 of sentiment where the texts have gold labels.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if __name__ in ("__main__", "triage"):
    # Python looks first in the folder of the program: whatever is run there and imports the package ``triage`` finds this
    # file, which therefore takes the folder off the path ...
    sys.path[:] = [str(ROOT), *(entry for entry in sys.path if Path(entry or ".").resolve() != ROOT / "benchmarks")]
if __name__ == "triage":
    # ... and steps aside for the package.
    del sys.modules["triage"]
    import_module("triage")

CORPUS = ROOT / "triage" / "training" / "corpus"
SENTIMENTS = ("negative", "neutral", "positive")
#: So many texts are judged one by one; their pace does not depend on how many there are, and the pipeline is slow.
ALONE, PIPELINE = 100, 96
#: Compound scores nearer to zero than this are neutral: the limit VADER's authors give.
LEXICON_LIMIT = 0.05
MOST_WASTE = 0.10


@dataclass(frozen=True, slots=True)
class Post:
    text: str
    lang: str
    sentiment: str | None


@dataclass(frozen=True, slots=True)
class Pace:
    """Posts a second, by the wall and as an idle machine would show."""

    wall: float
    cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a checkpoint's folder; default: the shipped one")
    parser.add_argument("--posts", type=int, default=400, help="how many texts")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as this process may use")
    parser.add_argument("--texts", type=Path, help="JSON lines (.gz) with text, lang, sentiment; default: our corpus")
    options = parser.parse_args()
    threads = options.threads or len(os.sched_getaffinity(0))
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)  # numpy reads it when it is first imported
    from triage.checkpoint import SHIPPED

    folder = options.model or SHIPPED
    posts = read_posts(options.texts, options.posts)
    print(f"{len(posts)} posts, {threads} threads, model {folder}")
    print(f"{'':58} {'posts/s':>8} {'cpu':>7} {'alone':>6} {'agrees':>7} {'flips':>5} {'F1 en':>6} {'F1 pl':>6}")
    before = multiply_rate()
    ours, flips = measure_ours(folder, posts, threads)
    pipeline = measure_pipeline(folder, posts, threads)
    measure_lexicons(posts)
    limit = measure_limit(folder, posts, max(before, multiply_rate()))
    print()
    if options.texts is None:
        print("F1 on our own corpus flatters our model: nine texts in ten have taught it (--texts gives it others)")
    if ours and pipeline:
        by_wall, by_cpu = ours.wall / pipeline.wall, ours.cpu / pipeline.cpu
        print(f"our default beside the pipeline one by one: {by_wall:.1f} times (by processor time {by_cpu:.1f})")
    if ours and limit:
        print(
            f"our default beside the limit of float32: {ours.wall / limit:.0%} (by processor time {ours.cpu / limit:.0%})"
        )
    if flips is not None:
        asked = f"texts of the first {min(ALONE, len(posts))} whose labels flip between one by one and batches"
        print(f"{asked}: {flips} (promise: 0){kept(flips == 0)}")
    waste = padding_waste(folder, [post.text for post in posts])
    print(f"padding in our batches: {waste:.1%} of all tokens (promise: at most 10 %){kept(waste <= MOST_WASTE)}")


def kept(promise: bool) -> str:
    return "" if promise else "  NOT KEPT"


def read_posts(path: Path | None, count: int) -> list[Post]:
    """``count`` posts, spread evenly over the file or the corpus."""
    rows = [row for file in ([path] if path else sorted(CORPUS.glob("*.jsonl"))) for row in read_lines(file)]
    posts = [Post(row["text"], row.get("lang", ""), gold(row)) for row in rows]
    count = min(count, len(posts))
    return [posts[place * len(posts) // count] for place in range(count)]


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def gold(row: dict[str, Any]) -> str | None:
    label = row.get("sentiment") or (row.get("label") if row.get("task") == "sentiment" else None)
    return label if label in SENTIMENTS else None


def show(name: str, pace: float, cpu: float, *cells: str) -> None:
    widths = (6, 7, 5, 6, 6)
    rest = " ".join(f"{cell:>{width}}" for cell, width in zip((*cells, *[""] * 5), widths, strict=False))
    print(f"{name:58} {pace:8.0f} {cpu:7.0f} {rest}".rstrip(), flush=True)


def skip(name: str, why: object) -> None:
    print(f"{name:58} skipped: {' '.join(str(why).split())[:110]}", flush=True)


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What ``work`` gave, and its seconds by the wall and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    done = work()
    return done, time.perf_counter() - wall, time.process_time() - cpu


def f1_scores(posts: Sequence[Post], chosen: Sequence[str]) -> list[str]:
    """Macro-F1 in English and in Polish."""
    import numpy as np

    from triage.measures import score

    cells = []
    for lang in ("en", "pl"):
        pairs = [(post.sentiment, label) for post, label in zip(posts, chosen, strict=True) if post.lang == lang]
        places = np.array([[SENTIMENTS.index(of), SENTIMENTS.index(label)] for of, label in pairs if of is not None])
        cells.append(f"{score(places[:, 0], places[:, 1], 3, draws=10).macro_f1.value:.3f}" if places.size else "")
    return cells


# --- ours -------------------------------------------------------------------------------------------------------------


def measure_ours(folder: Path, posts: Sequence[Post], threads: int) -> tuple[Pace | None, int | None]:
    """The pace of the default, and the flips of all runtimes together."""
    from social.domain.errors import ModelUnavailable
    from social.settings import TriageBackend
    from triage.load import load_classifier

    named = (
        (TriageBackend.ONNXRUNTIME, "ours, backend onnxruntime"),
        (TriageBackend.AUTO, "ours, the default (auto)"),
        (TriageBackend.TRANSFORMERS, "ours, backend transformers"),
        (TriageBackend.RULES, "ours, rules and language without a model"),
    )
    default, flips, reference = None, None, None
    for backend, name in named:
        try:
            judge = load_classifier(backend, folder, threads)
        except ModelUnavailable as error:
            skip(name, error)
            continue
        runtime = judge.health().details.get("runtime", "")
        labels, pace, differing = measure_judge(
            f"{name}: {runtime}" if runtime else name, judge, posts, threads, reference
        )
        flips = (flips or 0) + differing
        reference = reference or labels
        default = pace if backend is TriageBackend.AUTO else default
    return default, flips


Labels = list[tuple[str, str]]


def measure_judge(
    name: str, judge: Any, posts: Sequence[Post], threads: int, reference: Labels | None
) -> tuple[Labels, Pace, int]:
    from social.domain.assessment import RULES_ONLY, TextToAssess

    items = [TextToAssess(text=post.text) for post in posts]

    def labels_of(some: Sequence[TextToAssess]) -> Labels:
        return [(judged.sentiment.value, judged.urgency.value) for judged in judge.assess(some)]

    labels_of(items[:64])  # the first batches pay for memory and kernels
    labels, wall, cpu = timed(lambda: labels_of(items))
    alone, alone_wall, _ = timed(lambda: [labels_of([item])[0] for item in items[:ALONE]])
    flips = sum(one != other for one, other in zip(alone, labels, strict=False))
    speaks = judge.identity != RULES_ONLY
    same = [
        one == other
        for pair, like in zip(labels, reference or (), strict=False)
        for one, other in zip(pair, like, strict=True)
    ]
    agrees = f"{sum(same) / len(same):.2%}" if same and speaks else ""
    cells = (f"{len(alone) / alone_wall:.0f}", agrees, str(flips))
    scores = f1_scores(posts, [sentiment for sentiment, _ in labels]) if speaks else []
    # rules are plain Python on one core
    pace = Pace(len(posts) / wall, len(posts) / cpu * (threads if speaks else 1))
    show(name, pace.wall, pace.cpu, *cells, *scores)
    return labels, pace, flips


def padding_waste(folder: Path, texts: Sequence[str]) -> float:
    """The share of the tokens in our batches that only fill them up."""
    from triage.encoder import batches, pad

    rows = token_rows(folder, texts)
    masks = [pad([rows[place] for place in places], 0)[1] for places in batches(rows)]
    return 1 - sum(int(mask.sum()) for mask in masks) / sum(mask.size for mask in masks)


def token_rows(folder: Path, texts: Sequence[str]) -> list[list[int]]:
    from triage.checkpoint import read_checkpoint
    from triage.encoder import open_tokenizer, tokenize
    from triage.prepare import prepare

    checkpoint = read_checkpoint(folder, verify=False)
    prepared = [checkpoint.prefix + prepare(text).text for text in texts]
    return tokenize(open_tokenizer(folder), prepared, checkpoint.max_tokens)


# --- the others -------------------------------------------------------------------------------------------------------


def measure_pipeline(folder: Path, posts: Sequence[Post], threads: int) -> Pace | None:
    """The pace of ``transformers.pipeline`` one by one. Its head is random, so its labels are not compared."""
    name = "Hugging Face pipeline, float32"
    try:
        import torch
        from transformers import AutoConfig, BertForSequenceClassification, pipeline
    except ImportError as error:
        skip(name, f"PyTorch is not installed ({error})")
        return None
    from triage.encoder import load_tokenizer
    from triage.weights import load_torch_state

    torch.set_num_threads(threads)
    try:
        network: Any = BertForSequenceClassification(
            AutoConfig.from_pretrained(folder, local_files_only=True, num_labels=3)
        )
        state = {key: torch.from_numpy(values) for key, values in load_torch_state(folder).items()}
        own = {
            f"bert.{key.removeprefix('encoder.')}": values
            for key, values in state.items()
            if key.startswith("encoder.")
        }
        network.load_state_dict(own, strict=False)
        judge = pipeline("text-classification", model=network.eval(), tokenizer=load_tokenizer(folder), device="cpu")
    except Exception as error:  # noqa: BLE001 another kind of checkpoint: transformers raises whatever its parts raise
        skip(name, error)
        return None
    texts = [post.text for post in posts[:PIPELINE]]
    judge(texts[:8], truncation=True, max_length=512)
    ways: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("one by one", lambda: [judge(text, truncation=True, max_length=512) for text in texts]),
        ("batch_size=32", lambda: judge(texts, batch_size=32, truncation=True, max_length=512)),
    )
    paces = []
    for way, work in ways:
        _, wall, cpu = timed(work)
        paces.append(Pace(len(texts) / wall, len(texts) / cpu * threads))
        show(f"{name}, {way}", paces[-1].wall, paces[-1].cpu)
    return paces[0]


def measure_lexicons(posts: Sequence[Post]) -> None:
    for lang, name, rate in lexicons():
        spoken = [post for post in posts if post.lang == lang]
        if rate is None or not spoken:
            skip(name, "it is not installed" if rate is None else "there is no such text")
            continue
        rate(spoken[0].text)
        compounds, wall, cpu = timed(lambda rate=rate, spoken=spoken: [rate(post.text) for post in spoken])
        chosen = [
            "positive" if value >= LEXICON_LIMIT else "negative" if value <= -LEXICON_LIMIT else "neutral"
            for value in compounds
        ]
        show(name, len(spoken) / wall, len(spoken) / cpu, "", "", "", *f1_scores(spoken, chosen))


def lexicons() -> Iterator[tuple[str, str, Callable[[str], float] | None]]:
    """Language, name, and what gives a text's compound score (-1 to 1); None: not installed."""
    from triage.training.baselines import lexicon

    yield "en", "lexicon, English: VADER", lexicon("en")
    polvader = None
    if importlib.util.find_spec("polvader") and importlib.util.find_spec("pl_core_news_lg"):
        from polvader import Lexicon

        polish = Lexicon()

        def polvader(text: str) -> float:
            return float(polish.polarity_scores(text)["compound"])

    yield "pl", "lexicon, Polish: polVADER and pl_core_news_lg", polvader
    yield "pl", "lexicon, Polish: a short list of stems", lexicon("pl")


def measure_limit(folder: Path, posts: Sequence[Post], rate: float) -> float | None:
    """Posts a second of a perfect float32 matrix multiply at ``rate``, without padding, softmax or anything else."""
    name = "limit: the encoder's operations at numpy's float32 rate"
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        lengths = [len(row) for row in token_rows(folder, [post.text for post in posts])]
        operations = sum(operations_of(config, length) for length in lengths) / len(lengths)
    except (OSError, KeyError, ValueError) as error:
        skip(name, f"config.json does not describe the encoder ({type(error).__name__}: {error})")
        return None
    show(f"{name} ({rate / 1e9:.0f} G/s)", rate / operations, rate / operations)
    return rate / operations


def operations_of(config: dict[str, Any], tokens: int) -> int:
    """Multiplications and additions of a BERT over one text: four projections and two feed-forward matrices a layer, and
    attention's two products of tokens by tokens. Embeddings, norms and heads are left out: they are no hundredth."""
    hidden, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    a_token = 2 * (4 * hidden**2 + 2 * hidden * inner) + 2 * (2 * tokens * hidden)
    return int(config["num_hidden_layers"]) * tokens * a_token


def multiply_rate(hidden: int = 384, inner: int = 1_536, rows: int = 1_024, seconds: float = 1.0) -> float:
    """Operations a second of float32 [rows, hidden] x [hidden, inner], the best of a second: a busy machine only slows. The
    sizes are those of the shipped encoder's feed-forward."""
    import numpy as np

    rng = np.random.default_rng(1)
    left, right = (rng.normal(size=shape).astype(np.float32) for shape in ((rows, hidden), (hidden, inner)))
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        _, wall, _ = timed(lambda: left @ right)
        best = min(best, wall)
    return 2 * rows * hidden * inner / best


if __name__ == "__main__":
    main()
