"""A Unigram `tokenizer.json` as a SentencePiece `tokenizer.model`: `python -m triage.training.pieces FOLDER`.

Pieces, scores, numbers and the table of equal characters (NFKC and more) are the same in both files; the second takes a sixth
of the memory where it is read. Texts get the same pieces, but for two that score the same to the last digit in either order
("...." as "..." and "." or the other way round).
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

from sentencepiece import sentencepiece_model_pb2 as format_

SPECIAL = ("<s>", "<pad>", "</s>", "<mask>")
UNKNOWN = "<unk>"


def convert(tokenizer: dict[str, Any]) -> bytes:
    """The file's content. Raises ``ValueError`` for a tokenizer that SentencePiece would not cut in the same way."""
    model, cutting = tokenizer["model"], tokenizer["pre_tokenizer"]
    if model["type"] != "Unigram" or model["byte_fallback"]:
        raise ValueError(f"a Unigram model without bytes is expected, this is {model['type']}")
    if (cutting["type"], cutting["prepend_scheme"], cutting["replacement"]) != ("Metaspace", "always", "\u2581"):
        raise ValueError("words are expected to begin with the sign for a space")
    steps = tokenizer["normalizer"]["normalizers"]
    if [step["type"] for step in steps] != ["Precompiled", "Replace"] or steps[1]["pattern"] != {"Regex": " {2,}"}:
        raise ValueError("a table of equal characters and single spaces are expected")

    kinds = format_.ModelProto.SentencePiece
    content = format_.ModelProto()
    for piece, score in model["vocab"]:
        kind = kinds.UNKNOWN if piece == UNKNOWN else kinds.CONTROL if piece in SPECIAL else kinds.NORMAL
        content.pieces.add(piece=piece, score=score, type=kind)
    numbers = {piece: number for number, (piece, _) in enumerate(model["vocab"][: len(SPECIAL) + 1])}
    trained = content.trainer_spec
    trained.model_type, trained.vocab_size = format_.TrainerSpec.UNIGRAM, len(model["vocab"])
    trained.bos_id, trained.pad_id, trained.eos_id = (numbers[piece] for piece in SPECIAL[:3])
    trained.unk_id = numbers[UNKNOWN]
    rules = content.normalizer_spec
    rules.precompiled_charsmap = base64.b64decode(steps[0]["precompiled_charsmap"])
    rules.add_dummy_prefix = rules.remove_extra_whitespaces = rules.escape_whitespaces = True
    return bytes(content.SerializeToString(deterministic=True))


def write_pieces(folder: Path) -> None:
    """Write ``tokenizer.model`` beside the ``tokenizer.json`` of ``folder``."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    (folder / "tokenizer.model").write_bytes(convert(tokenizer))


if __name__ == "__main__":
    write_pieces(Path(sys.argv[1]))
