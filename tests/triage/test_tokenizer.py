"""SentencePiece cuts texts as Hugging Face's tokenizer of the same checkpoint does; what is text stays text."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from social.domain.errors import ModelUnavailable
from tests.triage.tiny_model import write_tiny_tokenizer
from triage.checkpoint import SHIPPED
from triage.encoder import PIECES, TOKENIZER, FastTokenizer, PieceTokenizer, open_tokenizer
from triage.prepare import prepare
from triage.training.data import load_plan, read_corpus
from triage.training.pieces import convert

AWKWARD = (
    "",
    " ",
    "Zażółć gęślą jaźń",
    "  dwie   spacje \n i nowy\twiersz  ",
    "ﬁrma ½ ㍿ Ａｎｎａ",
    "😀👩‍👩‍👧 ❤️",
    "שלום عليكم 你好 สวัสดี",
    "a\u0301" * 300,
    "\u200b\u2060x\ufeff",
    "x" * 5_000,
    "\x00\x07",
)


@cache
def both() -> tuple[PieceTokenizer, FastTokenizer]:
    return PieceTokenizer(SHIPPED / PIECES), FastTokenizer(SHIPPED / TOKENIZER)


def ids(texts: list[str]) -> list[tuple[list[int], list[int]]]:
    ours, theirs = (tokenizer(texts)["input_ids"] for tokenizer in both())
    return list(zip(ours, theirs, strict=True))


def test_the_shipped_model_is_read_by_sentencepiece() -> None:
    assert isinstance(open_tokenizer(SHIPPED), PieceTokenizer)
    assert both()[0].pad_token_id == both()[1].pad_token_id


def test_it_cuts_as_the_tokenizer_that_trained_does() -> None:
    plan = load_plan()
    rows = [*read_corpus(plan, held_out=False), *read_corpus(plan, held_out=True)]
    found = ids(["query: " + prepare(row.text).text for row in rows])
    assert len(found) > 1_500
    # two pieces of exactly the same score in either order ("..." and ".") are no difference that a model could rely on
    assert [pair for pair in found if sorted(pair[0]) != sorted(pair[1])] == []
    assert sum(ours != theirs for ours, theirs in found) <= len(found) / 500


def test_it_cuts_awkward_texts_alike() -> None:
    # the space after the prefix of an empty text is a piece of its own to the other one
    prepared = [("query: " + prepare(text).text).rstrip() for text in AWKWARD]
    for text, (ours, theirs) in zip(prepared, ids(prepared), strict=True):
        assert ours == theirs, text


@pytest.mark.parametrize("word", ["<s>", "</s>", "<pad>", "<mask>", "<unk>"])
def test_what_looks_like_a_special_token_is_text(word: str) -> None:
    ours, theirs = ids([f"a {word} b"])[0]
    inside = ours[1:-1]
    assert not {0, 1, 2, 82_528} & set(inside)
    assert len(ours) > len(theirs)  # theirs takes it for its own sign


def test_a_checkpoint_of_another_kind_is_read_from_its_json(tmp_path: Path) -> None:
    write_tiny_tokenizer(tmp_path)
    assert isinstance(open_tokenizer(tmp_path), FastTokenizer)


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x0a\x02"])
def test_it_says_what_is_broken(tmp_path: Path, content: bytes) -> None:
    (tmp_path / PIECES).write_bytes(content)
    with pytest.raises(ModelUnavailable, match=r"tokenizer (cannot be read|has no pieces)"):
        open_tokenizer(tmp_path)


def test_the_shipped_file_is_the_one_that_its_json_makes() -> None:
    described = json.loads((SHIPPED / TOKENIZER).read_text(encoding="utf-8"))
    assert convert(described) == (SHIPPED / PIECES).read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda made: made["model"].update(type="BPE"), "Unigram"),
        (lambda made: made["model"].update(byte_fallback=True), "without bytes"),
        (lambda made: made["pre_tokenizer"].update(prepend_scheme="never"), "sign for a space"),
        (lambda made: made["normalizer"]["normalizers"].pop(), "single spaces"),
    ],
)
def test_a_tokenizer_that_would_be_cut_otherwise_is_not_converted(change: Any, words: str) -> None:
    described = json.loads((SHIPPED / TOKENIZER).read_text(encoding="utf-8"))
    described["model"]["vocab"] = described["model"]["vocab"][:100]
    made = copy.deepcopy(described)
    convert(made)
    change(made)
    with pytest.raises(ValueError, match=words):
        convert(made)
