"""A crowd for the benchmarks: posts of many customers, and a network that shows them page after page."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from social.domain.post import Author, FetchedPost, PostKind
from social.ports import Cursor, Page
from tests.fakes import FakeConnector

CORPUS = Path(__file__).parent.parent / "triage" / "training" / "corpus"


#: How often each urgency comes in a brand's stream. The corpus has far more that is urgent, so that a model can learn it.
NATURAL = {"low": 0.35, "normal": 0.46, "high": 0.17, "critical": 0.02}


def corpus_texts() -> dict[str, list[str]]:
    """The project's own corpus, posts as people write them, by urgency."""
    texts: dict[str, list[str]] = {level: [] for level in NATURAL}
    for file in sorted(CORPUS.glob("*.jsonl")):
        for row in map(json.loads, file.open(encoding="utf-8")):
            texts[row["urgency"]].append(row["text"])
    return texts


def crowd(count: int, *, begin: datetime, every: timedelta, seed: int = 1, prefix: str = "") -> Iterator[FetchedPost]:
    """``count`` posts, one ``every`` so often, two in three by somebody who wrote before, one in five inside a thread."""
    draw, texts, threads = random.Random(seed), corpus_texts(), [""]
    for number in range(count):
        author = f"{prefix}customer-{draw.randrange(count // 3 + 1)}"
        native_id = f"{prefix}post-{number}"
        root = draw.choice(threads) if draw.random() < 0.2 else native_id
        root = root or native_id
        if root == native_id:
            threads = [*threads[-200:], root]
        (level,) = draw.choices(list(NATURAL), weights=list(NATURAL.values()))
        text, at = draw.choice(texts[level]), begin + number * every
        yield FetchedPost(
            native_id=native_id,
            author=Author(native_id=author, handle=f"{author}.example", display_name=author.title()),
            text=text,
            created_at=at,
            thread_root=root,
            kind=PostKind.COMMENT,
            in_reply_to=None if root == native_id else root,
            summoned=True,
            permalink=f"https://network.invalid/p/{native_id}",
            language_hint="pl",
            native={"cid": f"bafy{number:040d}", "parent": root},
            raw={"id": native_id, "message": text, "created_time": at.isoformat(), "from": {"id": author}},
        )


def delivered(posts: Sequence[FetchedPost], *, page: int, again: float, seed: int = 1) -> list[list[FetchedPost]]:
    """Pages of ``page`` posts of which the share ``again`` was already on the pages before, as networks do it."""
    draw, fresh, pages = random.Random(seed), int(page * (1 - again)), []
    for start in range(0, len(posts), fresh):
        new = list(posts[start : start + fresh])
        earlier = posts[max(0, start - 4 * page) : start]
        old = draw.sample(earlier, min(page - len(new), len(earlier)))
        pages.append([*old, *new])
    return pages


class PagingConnector(FakeConnector):
    """Shows prepared pages in order; the cursor is the number of the next one."""

    def __init__(self, pages: Sequence[Sequence[FetchedPost]]) -> None:
        super().__init__()
        self.pages = pages

    def fetch(self, cursor: Cursor) -> Page:
        number = int(cursor["page"]) if cursor else 0
        if number >= len(self.pages):
            return Page(posts=(), cursor={"page": number}, more=False)
        posts = tuple(self.pages[number])  # an empty page ends the turn
        return Page(posts=posts, cursor={"page": number + 1}, more=bool(posts) and number + 1 < len(self.pages))
