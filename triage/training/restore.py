"""A checkpoint from a shipped model: `python -m triage.training.restore --of triage/model --out DIR`.

Whoever has the model but not the checkpoints behind it can teach it more, as `train --stage tune --start DIR` does, with their
own labels or with ours. The weights are those of the file: int8 with a scale a row, unfolded to floats. Heads that help in
training and are not shipped (irony, flags) come back knowing nothing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from triage.training.data import HEADS
from triage.training.folders import write_checkpoint
from triage.weights import WeightsUnreadable, load_torch_state


def restore(model: Path, out: Path) -> None:
    """Raises WeightsUnreadable where ``model`` has no file that was exported here, OSError for what else it lacks."""
    weights = load_torch_state(model)
    hidden = int(json.loads((model / "config.json").read_text(encoding="utf-8"))["hidden_size"])
    version = json.loads((model / "heads.json").read_text(encoding="utf-8"))["version"]
    for head in HEADS:
        weights.setdefault(f"{head.name}.weight", np.zeros((len(head.labels), hidden), dtype=np.float32))
        weights.setdefault(f"{head.name}.bias", np.zeros(len(head.labels), dtype=np.float32))
    write_checkpoint(weights, out, like=model, about={"shipped": version})


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--of", type=Path, required=True, help="folder of the shipped model")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    options = parser.parse_args(arguments)
    try:
        restore(options.of, options.out)
    except (OSError, WeightsUnreadable) as error:
        parser.error(str(error))
    print(f"{options.out}: restored from {options.of}")


if __name__ == "__main__":
    main()
