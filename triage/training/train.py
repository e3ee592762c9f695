"""Train the shipped model: `python -m triage.training.train --data DIR --encoder DIR --out DIR`.

Six stages (see `sources.toml`): `public` learns sentiment, harm and irony in many languages from permissive sets, `brand`
adds the project's own corpus and teaches urgency, topics and who waits for an answer, `student` learns from the labels and from
what finished checkpoints think of every text (`--taught`, written by `triage.training.teach`), `tune` goes over what a checkpoint
(`--start`) still does badly, `words` teaches a finished one what single words mean, `renew` what is new in the corpus. Each
stage leaves `OUT/<stage>/`
with the averaged weights (`model.safetensors`), the tokenizer and `training.json`; `state.pt` beside them lets `--resume` go on
after a stop.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from triage.training import data as sets
from triage.training.folders import ABOUT, WEIGHTS
from triage.training.model import Network, batch_loss, batches_by_length, build, encode, freeze_embeddings, pad
from triage.training.thoughts import read_thoughts, with_teachers

POOL = 2400
"""Texts drawn at a time: tokenised together and sorted by length; also the grain of resuming."""
SAVE_EVERY = 180.0
LAST_RATE = 0.03
STAGES = ("public", "brand", "student", "tune", "words", "renew")


class Average:
    """Exponential moving average of the trained weights; it is what gets evaluated and shipped."""

    def __init__(self, network: Network, decay: float = 0.995) -> None:
        self.decay = decay
        self.steps = 0
        self.values = {
            name: value.detach().clone() for name, value in network.named_parameters() if value.requires_grad
        }

    def update(self, network: Network) -> None:
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for name, value in network.named_parameters():
                if name in self.values:
                    self.values[name].lerp_(value, 1 - decay)

    def weights_of(self, network: Network) -> dict[str, torch.Tensor]:
        """The network's whole state with the averaged weights in place, safe to keep."""
        state = {name: value.detach().clone().contiguous() for name, value in network.state_dict().items()}
        state.update({name: value.clone() for name, value in self.values.items()})
        return state


def make_optimiser(network: Network, stage: sets.Stage) -> torch.optim.AdamW:
    body, plain, heads, words = [], [], [], []
    for name, value in network.named_parameters():
        if not value.requires_grad:
            continue
        if name.startswith("encoder.embeddings."):
            words.append(value)
            continue
        group = heads if not name.startswith("encoder.") else body if value.ndim > 1 else plain
        group.append(value)
    groups = [
        {"params": body, "peak": stage.learning_rate, "weight_decay": 0.01},
        {"params": plain, "peak": stage.learning_rate, "weight_decay": 0.0},
        {"params": heads, "peak": stage.head_learning_rate, "weight_decay": 0.01},
        {"params": words, "peak": stage.embedding_learning_rate, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=stage.learning_rate)


def rate_at(progress: float, warm_up: float) -> float:
    """Part of the peak rate: a straight climb, then a straight fall to `LAST_RATE`."""
    if progress < warm_up:
        return max(progress / warm_up, 0.02)
    return LAST_RATE + (1 - LAST_RATE) * max(0.0, (1 - progress) / (1 - warm_up))


def run_stage(
    stage: sets.Stage,
    network: Network,
    tokenizer: Any,
    examples: list[sets.Example],
    out: Path,
    *,
    seed: int,
    minutes: float | None,
    resume: bool,
) -> dict[str, Any]:
    """Train until the stage's samples are drawn or the minutes are up; the rate follows whichever is nearer its end."""
    out.mkdir(parents=True, exist_ok=True)
    if stage.embedding_learning_rate == 0:
        freeze_embeddings(network)
    optimiser = make_optimiser(network, stage)
    average = Average(network)
    chances = sets.draw_chances(examples, stage)
    done = {"pool": 0, "samples": 0, "seconds": 0.0, "loss": 0.0}
    if resume and (out / "state.pt").exists():
        state = torch.load(out / "state.pt", weights_only=True)
        network.load_state_dict(state["trained"], strict=False)
        optimiser.load_state_dict(state["optimiser"])
        average.values, average.steps, done = state["average"], state["average_steps"], state["done"]
    network.train()
    started = time.monotonic() - done["seconds"]
    saved = time.monotonic()
    while not _is_over(done, stage, minutes):
        torch.manual_seed(seed * 1000 + int(done["pool"]))
        rows = sets.draw_pool(examples, chances, stage, seed, int(done["pool"]), POOL)
        ids = encode(tokenizer, [row.text for row in rows], stage.tokens)
        batches = batches_by_length(ids, stage.batch)
        np.random.default_rng([seed, int(done["pool"])]).shuffle(batches)
        for batch in batches:
            done["seconds"] = time.monotonic() - started
            rate = rate_at(_progress(done, stage, minutes), stage.warm_up)
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * rate
            tokens, mask = pad([ids[i] for i in batch], tokenizer.pad_token_id)
            with torch.autocast("cpu", torch.bfloat16):
                loss = batch_loss(network, [rows[i] for i in batch], tokens, mask, taught=stage.taught)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            average.update(network)
            done["samples"] += len(batch)
            done["loss"] += 0.02 * (float(loss.detach()) - done["loss"]) if done["loss"] else float(loss.detach())
            if _is_over(done, stage, minutes):
                break
        done["pool"] += 1
        speed = done["samples"] / max(done["seconds"], 1e-9)
        print(
            f"{stage.name}: {done['samples']}/{stage.samples} texts, {done['seconds'] / 60:.1f} min, "
            f"{speed:.1f} texts/s, loss {done['loss']:.4f}, rate {rate:.2f}",
            flush=True,
        )
        if time.monotonic() - saved > SAVE_EVERY:
            _save(out, network, tokenizer, average, optimiser, stage, done, seed, finished=False)
            saved = time.monotonic()
    _save(out, network, tokenizer, average, optimiser, stage, done, seed, finished=True)
    network.load_state_dict(average.weights_of(network))
    return done


def _progress(done: dict[str, Any], stage: sets.Stage, minutes: float | None) -> float:
    by_time = done["seconds"] / (minutes * 60) if minutes else 0.0
    return min(1.0, max(done["samples"] / stage.samples, by_time))


def _is_over(done: dict[str, Any], stage: sets.Stage, minutes: float | None) -> bool:
    return _progress(done, stage, minutes) >= 1.0


def _save(
    out: Path,
    network: Network,
    tokenizer: Any,
    average: Average,
    optimiser: torch.optim.Optimizer,
    stage: sets.Stage,
    done: dict[str, Any],
    seed: int,
    *,
    finished: bool,
) -> None:
    """Each file is written beside its place and moved there, so a stop never leaves half a checkpoint."""
    trained = {name: value.detach() for name, value in network.named_parameters() if value.requires_grad}
    state = {
        "trained": trained,
        "average": average.values,
        "average_steps": average.steps,
        "optimiser": optimiser.state_dict(),
        "done": done,
    }
    torch.save(state, out / "state.new")
    (out / "state.new").replace(out / "state.pt")
    save_file(average.weights_of(network), out / "model.new")
    (out / "model.new").replace(out / WEIGHTS)
    tokenizer.save_pretrained(out)
    network.encoder.config.save_pretrained(out)  # type: ignore[union-attr, operator]
    about = {"stage": asdict(stage), "seed": seed, "finished": finished, **done}
    (out / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")


def load_checkpoint(folder: Path) -> tuple[Network, Any]:
    """The averaged network of a stage's folder, in evaluation mode, and its tokenizer."""
    from transformers import AutoTokenizer

    network = build(folder, from_weights=False)
    network.load_state_dict(load_file(folder / WEIGHTS))
    return network.eval(), AutoTokenizer.from_pretrained(folder)


def stages_to_run(wanted: str, out: Path, resume: bool) -> Iterable[str]:
    for name in STAGES[:2] if wanted == "all" else (wanted,):
        about = out / name / ABOUT
        if resume and about.exists() and json.loads(about.read_text(encoding="utf-8"))["finished"]:
            continue
        yield name


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=os.environ.get("DYZUR_DATA"), help="folder with train/ and dev/")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the encoder to start from")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--stage", choices=("all", *STAGES), default="all", help="all: the first two")
    parser.add_argument(
        "--start", type=Path, help="checkpoint to start from (default OUT/public; the public stage has none)"
    )
    parser.add_argument("--taught", type=Path, help="what teachers think of the texts, for the student stage")
    parser.add_argument("--minutes", type=float, help="longest time of each stage")
    parser.add_argument("--samples", type=int, help="texts to draw (default: what the stage says)")
    parser.add_argument("--resume", action="store_true", help="go on where a stopped run left off")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args(arguments)
    if options.data is None:
        parser.error("--data is missing: give the folder that holds train/ and dev/, or set DYZUR_DATA")
    if options.stage == "student" and options.taught is None:
        parser.error("--taught is missing: python -m triage.training.teach writes what the teachers think")
    from transformers import AutoTokenizer

    torch.set_num_threads(options.threads)
    plan = sets.load_plan()
    for name in stages_to_run(options.stage, options.out, options.resume):
        start = options.encoder if name == "public" else options.start or options.out / "public"
        if name == "public":
            torch.manual_seed(options.seed)
            network, tokenizer = build(start), AutoTokenizer.from_pretrained(start)
        else:
            network, tokenizer = load_checkpoint(start)
        examples = sets.read_training(plan, Path(options.data))
        if name == "student":
            examples = with_teachers(examples, read_thoughts(options.taught))
        if not options.resume and (options.out / name).exists():
            shutil.rmtree(options.out / name)
        print(f"{name}: {len(examples)} texts to draw from", flush=True)
        stage = plan.stages[name]
        run_stage(
            replace(stage, samples=options.samples or stage.samples),
            network,
            tokenizer,
            examples,
            options.out / name,
            seed=options.seed,
            minutes=options.minutes,
            resume=options.resume,
        )


if __name__ == "__main__":
    main()
