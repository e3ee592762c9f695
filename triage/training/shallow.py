"""Fewer layers of a checkpoint: `python -m triage.training.shallow --of DIR --keep 0 2 4 6 8 11 --out DIR`.

A student of half the layers starts from every second layer of its teacher (Sanh et al. 2019, "DistilBERT") and learns the
rest by the student stage: `train --stage student --start DIR`. It judges about twice as many posts in a second; what that costs
was not measured yet.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path

from safetensors.numpy import load_file

from triage.training.folders import WEIGHTS, write_checkpoint

_LAYER = re.compile(r"^(encoder\.encoder\.layer\.)(\d+)(\..*)$")


def keep_layers(folder: Path, keep: Sequence[int], out: Path) -> None:
    """Raises ValueError where ``keep`` is empty, not in order, or names a layer that the checkpoint has not."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    layers = int(config["num_hidden_layers"])
    if not keep or list(keep) != sorted(set(keep)) or not 0 <= keep[0] <= keep[-1] < layers:
        raise ValueError(f"name the layers to keep in order, each once, from 0 to {layers - 1}, not {list(keep)}")
    places = {old: new for new, old in enumerate(keep)}
    kept = {}
    for name, values in load_file(folder / WEIGHTS).items():
        layer = _LAYER.match(name)
        if layer is None:
            kept[name] = values
        elif int(layer[2]) in places:
            kept[f"{layer[1]}{places[int(layer[2])]}{layer[3]}"] = values
    write_checkpoint(kept, out, like=folder, about={"layers": [*keep], "of": str(folder)})
    (out / "config.json").write_text(json.dumps({**config, "num_hidden_layers": len(keep)}, indent=2), encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--of", type=Path, required=True, help="a stage's folder, as train.py leaves it")
    parser.add_argument(
        "--keep", type=int, nargs="+", required=True, metavar="LAYER", help="the layers that stay, from 0"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the shallower checkpoint")
    options = parser.parse_args(arguments)
    try:
        keep_layers(options.of, options.keep, options.out)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(f"{options.out}: {len(options.keep)} layers")


if __name__ == "__main__":
    main()
