"""A cut vocabulary reads its texts as before, and every other text letter by letter."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from triage.checkpoint import SHIPPED
from triage.training.pieces import convert
from triage.training.vocabulary import WORDS, cut_encoder, cut_tokenizer, pieces_of, pieces_to_keep, ways_to_type

TEXTS = ["Gdzie jest moja paczka?", "Zażółć gęślą jaźń", "Where is my parcel?"]


@pytest.fixture(scope="module")
def whole() -> dict[str, object]:
    read: dict[str, object] = json.loads((SHIPPED / "tokenizer.json").read_text(encoding="utf-8"))
    return read


def test_it_cuts_its_own_texts_as_before_however_they_are_typed(whole: dict[str, object]) -> None:
    from sentencepiece import SentencePieceProcessor

    kept = pieces_to_keep(whole, TEXTS)
    before = SentencePieceProcessor(model_proto=convert(whole))
    after = SentencePieceProcessor(model_proto=convert(cut_tokenizer(whole, kept)))
    assert after.vocab_size() == len(kept) < before.vocab_size()
    for text in TEXTS:
        for typed in ways_to_type(text):
            assert after.encode(typed, out_type=str) == before.encode(typed, out_type=str)
    assert [after.bos_id(), after.pad_id(), after.eos_id(), after.unk_id()] == [0, 1, 2, 3]


def test_a_word_that_nobody_wrote_falls_apart_into_letters_and_is_not_unknown(whole: dict[str, object]) -> None:
    from sentencepiece import SentencePieceProcessor

    after = SentencePieceProcessor(model_proto=convert(cut_tokenizer(whole, pieces_to_keep(whole, TEXTS))))
    pieces = after.encode("reklamacja źdźbło qwerty 12345 😀")
    assert after.unk_id() not in pieces
    assert len(pieces) > 10


def test_an_encoder_can_be_cut_to_the_pieces_of_a_model_that_was_cut_from_it(whole: dict[str, object]) -> None:
    kept = pieces_to_keep(whole, TEXTS)
    cut = cut_tokenizer(whole, kept)
    assert pieces_of(whole, cut) == kept
    with pytest.raises(ValueError, match="another"):
        pieces_of(cut, whole)
    with pytest.raises(ValueError, match="another"):
        pieces_of(whole, {"model": {"vocab": cut["model"]["vocab"][::-1]}})  # type: ignore[index]


def test_each_piece_keeps_its_vector(whole: dict[str, object], tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    (source / "tokenizer.json").write_text(json.dumps(whole), encoding="utf-8")
    (source / "tokenizer_config.json").write_text("{}")
    (source / "config.json").write_text(json.dumps({"vocab_size": 82_529, "hidden_size": 4}))
    count = len(whole["model"]["vocab"])  # type: ignore[index]
    vectors = np.arange(count * 4, dtype=np.float16).reshape(count, 4)
    safetensors.save_file({WORDS: vectors, "other": np.ones(3, dtype=np.float32)}, source / "model.safetensors")

    before, after = cut_encoder(source, out, TEXTS)
    kept = pieces_to_keep(whole, TEXTS)
    assert (before, after) == (count, len(kept))
    cut = safetensors.load_file(out / "model.safetensors")
    assert np.array_equal(cut[WORDS], vectors[kept])
    assert cut["other"].tolist() == [1, 1, 1]
    assert json.loads((out / "config.json").read_text())["vocab_size"] == after
