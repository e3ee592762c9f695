"""What the model learns from: reads the sets named in `sources.toml` and the project's own corpus, draws balanced pools.

No torch here: the tests and the baselines read data without it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
import tomllib
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from triage.checkpoint import OPTIONAL

HERE = Path(__file__).parent
SENTIMENT = ("negative", "neutral", "positive")
URGENCY = ("critical", "high", "normal", "low")
#: The product reads the logits in this order.
NEEDS_REPLY, TOPICS, HARMS = (OPTIONAL[name] for name in ("needs_reply", "topics", "harm"))
IRONY = ("no", "yes")
#: Those of the corpus that occur often enough to teach; rules decide on flags, this only makes the encoder look.
FLAGS = ("safety", "fraud", "formal", "repeat_contact", "minors", "legal", "outage", "wants_human", "rising_anger")
NEUTRAL = SENTIMENT.index("neutral")
CORPUS = "corpus"
WEAK_WEIGHT = 0.3
"""How much a label made by a rule counts against one given by a reader."""
ABSENT = -1

_HARM = re.compile(
    r"szpital|zgon|umar|śmier|operac|zakaże|zatru|powikła|krwaw|karetk|pogotow|błęd\w+ lekar|złamani|uczul|policj|"
    r"prokurat|sąd|prawnik|oszu[sk]|kradzie|ukrad|rzeczni|sanepid|pleśń|karaluch|pluskw|zwrot|reklamac|odwoła|"
    r"lawyer|lawsuit|sue |police|fraud|stolen|hospital|injur|refund",
    re.IGNORECASE,
)
"""Words after which a rule is no longer sure that a review can wait: such rows get no urgency label at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One text with what is known about it; a label index is -1 where nothing is known."""

    text: str
    lang: str
    source: str
    weight: float = 1.0
    sentiment: int = ABSENT
    urgency: int = ABSENT
    urgency_weight: float = 1.0
    two_class: bool = False
    needs_reply: int = ABSENT
    irony: int = ABSENT
    #: One number a label: 1, 0 or -1 where nobody said; empty where nothing at all is known.
    topics: tuple[int, ...] = ()
    harm: tuple[int, ...] = ()
    flags: tuple[int, ...] = ()
    #: The file of a corpus text, without its ending.
    file: str = ""
    #: Head -> what the teachers of the student stage think of it, one probability a label.
    taught: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One thing to learn. ``many``: each label is a question of its own (yes or no); else one of them is right. ``weight`` is
    its part of the loss. Only ``shipped`` heads are in the exported file, the others help the encoder to look."""

    name: str
    labels: tuple[str, ...]
    many: bool = False
    weight: float = 1.0
    shipped: bool = True


HEADS: tuple[Head, ...] = (
    Head(name="sentiment", labels=SENTIMENT),
    Head(name="urgency", labels=URGENCY),
    Head(name="needs_reply", labels=NEEDS_REPLY, weight=0.5),
    # a mean over many answers that are nearly always no: it would teach nothing at a smaller weight
    Head(name="topics", labels=TOPICS, many=True, weight=3.0),
    Head(name="harm", labels=HARMS, many=True, weight=1.5),
    Head(name="irony", labels=IRONY, weight=0.3, shipped=False),
    Head(name="flags", labels=FLAGS, many=True, weight=1.0, shipped=False),
)
SHIPPED_HEADS = tuple(head for head in HEADS if head.shipped)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One entry of `sources.toml`."""

    name: str
    file: str
    licence: str
    use: str
    weight: float = 1.0
    task: str = "sentiment"
    two_class: bool = False
    urgency: str = ""
    drop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How one stage of training draws and steps; see the comments in `sources.toml`."""

    name: str
    samples: int
    batch: int
    tokens: int
    learning_rate: float
    head_learning_rate: float
    warm_up: float
    augment: float
    #: These three draw by language and label; a stage with a ``mix`` needs none of them.
    corpus_share: float = 0.0
    max_repeat: float = 1e6
    shares: dict[str, float] = field(default_factory=dict)
    tasks: dict[str, float] = field(default_factory=dict)
    #: Of the word vectors; 0: they stay as they are.
    embedding_learning_rate: float = 0.0
    #: Shares by hand instead of by language and label: (sets, or corpus/FILE, or "corpus" for the rest of it), part of the draws.
    mix: tuple[tuple[tuple[str, ...], float], ...] = ()
    #: How much the teachers' word counts beside a label, 0 to 1; where there is no label it stands alone.
    taught: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole of `sources.toml`."""

    sources: tuple[Source, ...]
    stages: dict[str, Stage]
    intents: dict[str, str]
    harms: dict[str, tuple[int, ...]]
    held_out: int
    corpus_weight: float

    def to_train(self) -> tuple[Source, ...]:
        return tuple(source for source in self.sources if source.use == "train")


def load_plan(path: Path = HERE / "sources.toml") -> Plan:
    """Raises ValueError when an entry is used for anything but "train" or "evaluate", or a stage does not say what it draws."""
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    if tuple(raw["labels"]["sentiment"]) != SENTIMENT or tuple(raw["labels"]["urgency"]) != URGENCY:
        raise ValueError(f"{path}: the labels must stay {SENTIMENT} and {URGENCY}: the product counts on their order")
    sources = tuple(Source(**{**entry, "drop": tuple(entry.get("drop", ()))}) for entry in raw["source"])
    for source in sources:
        if source.use not in ("train", "evaluate"):
            raise ValueError(f'{path}: source {source.name}: use is "train" or "evaluate", not {source.use!r}')
    return Plan(
        sources=sources,
        stages={name: read_stage(name, entry) for name, entry in raw["stage"].items()},
        intents={intent: label for label, intents in raw["intents"].items() for intent in intents},
        harms={label: tuple(known[name] for name in HARMS) for label, known in raw["harms"].items()},
        held_out=int(raw["corpus"]["held_out"]),
        corpus_weight=float(raw["corpus"]["weight"]),
    )


def read_stage(name: str, entry: dict[str, Any]) -> Stage:
    """One entry below ``[stage]``. Raises ValueError unless it says in one way which texts it draws."""
    mix = tuple((tuple(part["of"]), float(part["share"])) for part in entry.get("mix", ()))
    if bool(mix) == ("shares" in entry):
        raise ValueError(f"stage {name}: it draws by shares of the languages or by a mix, by one of them")
    return Stage(**{**entry, "name": name, "mix": mix})


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a `.jsonl` or `.jsonl.gz` file. Raises ValueError naming the line that is not JSON."""
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: give --data (or DYZUR_DATA) the folder that holds train/ and dev/")
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}, line {number}: not JSON ({error.msg})") from error


def read_source(plan: Plan, source: Source, data: Path, part: str) -> list[Example]:
    """One set's `part` ("train" or "dev"). Raises ValueError when asked to train on a set that may only be measured."""
    if part == "train" and source.use != "train":
        raise ValueError(f"{source.name} is only ever measured ({source.licence}); it may not teach")
    examples = []
    for row in read_rows(data / part / f"{source.file}.jsonl.gz"):
        label = row["label"]
        if label in source.drop or not str(row["text"]).strip():
            continue
        example = Example(
            text=row["text"], lang=row["lang"], source=source.name, weight=source.weight, two_class=source.two_class
        )
        if source.task == "sentiment":
            example = replace(example, sentiment=SENTIMENT.index(label))
        if source.task == "irony":
            example = replace(example, irony=int(label == "irony"))
        if source.task == "harm":
            example = replace(example, harm=plan.harms[label])
        if source.task == "urgency":
            example = replace(example, urgency=URGENCY.index(label))
        elif part == "train" and (weak := weak_urgency(plan, source, label, row["text"])):
            example = replace(example, urgency=URGENCY.index(weak), urgency_weight=WEAK_WEIGHT)
        if is_labelled(example):
            examples.append(example)
    return examples


def is_labelled(example: Example) -> bool:
    """Whether anything is known about it."""
    one_of = (example.sentiment, example.urgency, example.needs_reply, example.irony)
    return any(value != ABSENT for value in one_of) or bool(example.topics or example.harm or example.flags)


def weak_urgency(plan: Plan, source: Source, label: str, text: str) -> str | None:
    """A rule's guess at urgency, only where it is nearly sure: an intent, thanks, news and chatter, a settled review."""
    if source.urgency == "intent":
        return plan.intents.get(label)
    if not source.urgency or _HARM.search(text):
        return None
    if "?" in text:
        return "normal" if source.urgency == "review" else None
    if label in ("positive", "neutral"):
        return "low"
    return "normal" if source.urgency == "review" else None


def is_held_out(identity: str, one_in: int) -> bool:
    """Whether a corpus row belongs to the project's own test. Depends on the id alone, so it never moves."""
    return int(hashlib.sha256(identity.encode()).hexdigest(), 16) % one_in == 0


def read_corpus(plan: Plan, *, held_out: bool, folder: Path = HERE / "corpus") -> list[Example]:
    """The project's own texts: those that teach, or the tenth that never does."""
    examples = []
    for path in sorted(folder.glob("*.jsonl")):
        for row in read_rows(path):
            if is_held_out(row["id"], plan.held_out) is held_out:
                examples.append(
                    Example(
                        text=row["text"],
                        lang=row["lang"],
                        source=CORPUS,
                        file=path.stem,
                        weight=plan.corpus_weight,
                        sentiment=SENTIMENT.index(row["sentiment"]),
                        urgency=URGENCY.index(row["urgency"]),
                        needs_reply=int(row["needs_reply"]),
                        topics=tuple(int(topic in row["topics"]) for topic in TOPICS),
                        flags=tuple(int(flag in row["flags"]) for flag in FLAGS),
                    )
                )
    return examples


def read_training(plan: Plan, data: Path, *, corpus: Path = HERE / "corpus") -> list[Example]:
    """Everything that may teach: the permissive sets' train parts and the corpus without its own test."""
    examples = [example for source in plan.to_train() for example in read_source(plan, source, data, "train")]
    return examples + read_corpus(plan, held_out=False, folder=corpus)


def draw_chances(examples: Sequence[Example], stage: Stage) -> np.ndarray:
    """Chance of each example at one draw, summing to 1.

    The corpus gets its share; the rest is split by language, and inside a language by label, as the square root of how
    many rows a label has (rare labels come up more often, none rules), times the stage's share of what is asked there. No
    row is expected more than `max_repeat` times in the public sets; corpus rows may come more often, their augmentation
    differs each time. A stage with a ``mix`` draws its groups by their shares and inside a group all rows alike.
    """
    if stage.mix:
        return _mixed(examples, stage)
    cells: dict[tuple[str, str, str, int], list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        if example.source == CORPUS:
            # The corpus is balanced over urgency, which is what it is there for.
            cells[(CORPUS, example.lang, "urgency", example.urgency)].append(index)
        else:
            cells[("public", example.lang, *_asked(example))].append(index)
    has_corpus = any(key[0] == CORPUS for key in cells)
    part = {CORPUS: stage.corpus_share if has_corpus else 0.0}
    part["public"] = 1.0 - part[CORPUS]
    chances = np.zeros(len(examples))
    for kind in (CORPUS, "public"):
        languages = sorted({key[1] for key in cells if key[0] == kind})
        others = [language for language in languages if language not in stage.shares]
        for language in languages:
            share = stage.shares[language] if language in stage.shares else stage.shares["other"] / len(others)
            keys = [key for key in cells if key[:2] == (kind, language)]
            roots = {key: float(np.sqrt(len(cells[key]))) * stage.tasks.get(key[2], 1.0) for key in keys}
            for key in keys:
                weights = np.array([examples[index].weight for index in cells[key]])
                chances[cells[key]] = part[kind] * share * roots[key] / sum(roots.values()) * weights / weights.sum()
    chances /= chances.sum()
    public = np.array([example.source != CORPUS for example in examples])
    limit = stage.max_repeat / stage.samples
    chances[public] = np.minimum(chances[public], limit)
    total: np.ndarray = chances / chances.sum()
    return total


def _mixed(examples: Sequence[Example], stage: Stage) -> np.ndarray:
    """Raises ValueError where a group has no row: a name is wrong, or its file is missing."""
    named = {name: number for number, (names, _) in enumerate(stage.mix) for name in names}
    groups = np.array([named.get(f"{row.source}/{row.file}", named.get(row.source, ABSENT)) for row in examples])
    chances = np.zeros(len(examples))
    for number, (names, share) in enumerate(stage.mix):
        if not (groups == number).any():
            raise ValueError(f"stage {stage.name}: no text to draw from {', '.join(names)}")
        chances[groups == number] = share / (groups == number).sum()
    total: np.ndarray = chances / chances.sum()
    return total


def _asked(example: Example) -> tuple[str, int]:
    """What a row of a public set is there for, and its answer."""
    if example.sentiment != ABSENT:
        return "sentiment", example.sentiment
    if example.harm:
        return "harm", int(any(value == 1 for value in example.harm))
    if example.irony != ABSENT:
        return "irony", example.irony
    return "urgency", example.urgency


def pick(chances: np.ndarray, seed: int, number: int, size: int) -> np.ndarray:
    """The places of the examples of pool ``number``."""
    return np.random.default_rng([seed, number]).choice(len(chances), size=size, p=chances)


def draw_pool(
    examples: Sequence[Example], chances: np.ndarray, stage: Stage, seed: int, number: int, size: int
) -> list[Example]:
    """Pool `number` of a run: the same seed and number always give the same texts, so a run can be taken up again."""
    picked = pick(chances, seed, number, size)
    rng = random.Random(seed * 1_000_003 + number)
    return [replace(examples[i], text=augment(examples[i].text, examples[i].lang, stage.augment, rng)) for i in picked]


_NEIGHBOURS = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk",
    "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "r": "et", "s": "ad", "t": "ry", "u": "yi",
    "w": "qe", "y": "tu", "z": "x",
}  # fmt: skip
_HANDLES = ("@user", "@brand", "@obsluga", "@help", "@marka_pl", "@AcmeSupport", "")


def strip_diacritics(text: str) -> str:
    """Text as typed on a phone without Polish letters: "łóżko" becomes "lozko"."""
    plain = unicodedata.normalize("NFKD", text.replace("ł", "l").replace("Ł", "L"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def augment(text: str, lang: str, chance: float, rng: random.Random) -> str:
    """The same post as somebody else might have typed it; the meaning, and so the labels, stay."""
    if lang == "pl" and rng.random() < chance:
        text = strip_diacritics(text)
    if rng.random() < chance * 0.6:
        text = rng.choice((str.lower, str.lower, str.upper))(text)
    if rng.random() < chance * 0.6:
        text = _with_typos(text, rng)
    if rng.random() < chance and "@user" in text:
        text = text.replace("@user", rng.choice(_HANDLES)).strip() or text
    if rng.random() < chance * 0.4:
        text = text.rstrip(".!?") if rng.random() < 0.5 else text.replace(",", "")
    return text or "."


def _with_typos(text: str, rng: random.Random) -> str:
    letters = list(text)
    for _ in range(max(1, len(letters) // 50)):
        place = rng.randrange(len(letters)) if letters else 0
        if not letters or letters[place].lower() not in _NEIGHBOURS:
            continue
        kind = rng.random()
        if kind < 0.4:
            letters[place] = rng.choice(_NEIGHBOURS[letters[place].lower()])
        elif kind < 0.7 and place + 1 < len(letters):
            letters[place], letters[place + 1] = letters[place + 1], letters[place]
        else:
            letters[place] = ""
    return "".join(letters)
