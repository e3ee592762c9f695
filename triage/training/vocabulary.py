"""Cut an encoder's vocabulary to what its texts need: `python -m triage.training.vocabulary --encoder DIR --data DIR --out DIR`.

Kept are the pieces of every text that may teach, as it is written and as others would type it (without diacritics, in small
and in capital letters), and every single character: a word that falls apart is read letter by letter, never as unknown. Each
piece that goes saves 384 bytes of the shipped file. The words' vectors themselves stay as they are. `--like MODEL` keeps the
pieces of another model instead: only checkpoints with the same ones can be blended.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from triage.prepare import prepare
from triage.training import data as sets
from triage.training.pieces import SPECIAL, UNKNOWN, convert

WORDS = "embeddings.word_embeddings.weight"
SPACE = "▁"


def ways_to_type(text: str) -> tuple[str, ...]:
    plain = sets.strip_diacritics(text)
    return text, plain, text.lower(), plain.lower(), text.upper()


def pieces_to_keep(tokenizer: dict[str, Any], texts: Iterable[str]) -> list[int]:
    """Numbers in the old vocabulary, ascending: so the special ones stay in front and in their order."""
    from sentencepiece import SentencePieceProcessor

    reader = SentencePieceProcessor(model_proto=convert(tokenizer))
    seen: set[int] = set()
    for text in texts:
        for row in reader.encode(list(ways_to_type(prepare(text).text))):
            seen.update(row)
    for number, (piece, _) in enumerate(tokenizer["model"]["vocab"]):
        if piece in (*SPECIAL, UNKNOWN) or len(piece.removeprefix(SPACE)) <= 1:
            seen.add(number)
    return sorted(seen)


def pieces_of(tokenizer: dict[str, Any], other: dict[str, Any]) -> list[int]:
    """Numbers of the pieces that ``other`` has. Raises ``ValueError`` where it was not cut from this one."""
    places = {piece: number for number, (piece, _) in enumerate(tokenizer["model"]["vocab"])}
    kept = [places.get(piece, -1) for piece, _ in other["model"]["vocab"]]
    if -1 in kept or kept != sorted(set(kept)):
        raise ValueError("its pieces are not a part of this encoder's: it was cut from another one")
    return kept


def cut_tokenizer(tokenizer: dict[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    """The same tokenizer with those pieces alone, numbered anew."""
    vocabulary = [tokenizer["model"]["vocab"][number] for number in kept]
    places = {piece: number for number, (piece, _) in enumerate(vocabulary)}
    added = [{**token, "id": places[token["content"]]} for token in tokenizer["added_tokens"]]
    model = {**tokenizer["model"], "vocab": vocabulary, "unk_id": places[UNKNOWN]}
    return {**tokenizer, "added_tokens": added, "model": model}


def cut_encoder(source: Path, out: Path, texts: Iterable[str], *, like: Path | None = None) -> tuple[int, int]:
    """Write the smaller encoder, with the pieces of ``texts`` or of the model ``like``; pieces before and after. Raises
    ``ValueError`` for a tokenizer of another kind."""
    from safetensors.numpy import load_file, save_file

    tokenizer = _tokenizer(source)
    kept = pieces_of(tokenizer, _tokenizer(like)) if like else pieces_to_keep(tokenizer, texts)
    before = len(tokenizer["model"]["vocab"])
    weights = load_file(source / "model.safetensors")
    weights[WORDS] = np.ascontiguousarray(weights[WORDS][kept])
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    out.mkdir(parents=True, exist_ok=True)
    cut = cut_tokenizer(tokenizer, kept)
    (out / "tokenizer.json").write_text(json.dumps(cut, ensure_ascii=False), encoding="utf-8")
    (out / "config.json").write_text(json.dumps({**config, "vocab_size": len(kept)}, indent=1), encoding="utf-8")
    (out / "tokenizer_config.json").write_bytes((source / "tokenizer_config.json").read_bytes())
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    return before, len(kept)


def _tokenizer(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=os.environ.get("DYZUR_DATA"), help="folder with train/ and dev/")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the encoder to cut")
    parser.add_argument("--out", type=Path, required=True, help="folder for the smaller one")
    parser.add_argument(
        "--like", type=Path, metavar="MODEL", help="keep the pieces of this model, whatever the texts need"
    )
    options = parser.parse_args(arguments)
    if options.data is None and options.like is None:
        parser.error("--data is missing: give the folder that holds train/ and dev/, or set DYZUR_DATA")
    examples = [] if options.like else sets.read_training(sets.load_plan(), Path(options.data))
    try:
        before, after = cut_encoder(
            options.encoder, options.out, (example.text for example in examples), like=options.like
        )
    except ValueError as error:
        parser.error(str(error))
    print(f"{options.out}: {after} of {before} pieces")


if __name__ == "__main__":
    main()
