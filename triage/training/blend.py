"""The weighted mean of checkpoints' weights: `python -m triage.training.blend --of DIR=0.7 DIR=0.3 --out DIR`.

Runs that went on from one encoder lie in one valley: the mean of their weights is often better than each, and costs nothing
when it judges (Wortsman et al. 2022, "Model soups"). Encoder and sentiment are those of all. The other heads are the mean of
those of `--heads`, or else of all that went beyond the public stage, which does not teach them; `triage.training.heads` fits
them anew. Tokenizer and shape are the first's.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from triage.training.folders import ABOUT, WEIGHTS, write_checkpoint

BLENDED = ("encoder.", "sentiment.")


def blend(parts: Mapping[Path, float], out: Path, *, heads: Collection[Path] = ()) -> None:
    """``parts``: a stage's folder, as train.py leaves it, and its share; the shares sum to 1. ``heads``: those among them whose
    other heads count, all alike. Raises ValueError where the shares do not sum to 1, where two checkpoints have other matrices,
    or where nobody was taught the other heads."""
    if abs(sum(parts.values()) - 1) > 1e-6 or min(parts.values()) <= 0:
        raise ValueError(f"the shares must be above 0 and sum to 1, not {', '.join(map(str, parts.values()))}")
    if not set(heads) <= set(parts):
        raise ValueError("only what is blended can give its heads")
    knowing = dict.fromkeys(heads, 1.0) or {
        folder: share for folder, share in parts.items() if _stage(folder) != "public"
    }
    if not knowing:
        raise ValueError("all of these are of the public stage: nobody has taught them urgency")
    mean: dict[str, np.ndarray] = {}
    for folder, share in parts.items():
        weights = load_file(folder / WEIGHTS)
        if mean and _shapes(weights) != _shapes(mean):
            raise ValueError(f"{folder} has other matrices than the first: they went on from another encoder")
        of_heads = knowing.get(folder, 0.0) / sum(knowing.values())
        for name, values in weights.items():
            mean[name] = mean.get(name, 0.0) + values * (share if name.startswith(BLENDED) else of_heads)
    about = {"blend": {str(folder): share for folder, share in parts.items()}}
    write_checkpoint(mean, out, like=next(iter(parts)), about=about)


def _stage(folder: Path) -> str:
    told = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    return str(told.get("stage", {}).get("name", ""))


def _shapes(weights: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {name: values.shape for name, values in weights.items()}


def _part(told: str) -> tuple[Path, float]:
    folder, separator, share = told.rpartition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{told}: write a checkpoint's folder and its share, such as RUN/student=0.7")
    return Path(folder), float(share)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--of", type=_part, nargs="+", required=True, metavar="DIR=SHARE", help="checkpoints and their shares"
    )
    parser.add_argument(
        "--heads", type=Path, nargs="+", default=(), metavar="DIR", help="whose heads beside sentiment count"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the blended checkpoint")
    options = parser.parse_args(arguments)
    try:
        blend(dict(options.of), options.out, heads=options.heads)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(f"{options.out}: {len(options.of)} checkpoints blended")


if __name__ == "__main__":
    main()
