"""The benchmark of triage counts what it says it counts, and its name hides no package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import triage as benchmark
from tests.triage.tiny_model import write_tiny_model
from triage.encoder import WIDTH_STEP

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


def test_a_benchmark_beside_it_still_finds_the_package_of_the_same_name() -> None:
    # what Python does first for every program of that folder
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r}); import triage.load; print(triage.__file__)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd="/")

    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == ROOT / "triage" / "__init__.py"


def test_it_counts_the_operations_of_an_encoder() -> None:
    config = {"hidden_size": 4, "intermediate_size": 6, "num_hidden_layers": 3}
    # a token and layer: 4 x 16 and 2 x 24 multiplications with as many additions, and twice 2 x 5 tokens x 4
    assert benchmark.operations_of(config, 5) == 3 * 5 * (2 * (64 + 48) + 80)


def test_it_counts_what_only_fills_the_batches(tiny: Path) -> None:
    # one token a byte: the prefix's seven, three letters and two ends make 12, two more letters 14
    read = sum(-(-tokens // WIDTH_STEP) * WIDTH_STEP for tokens in (12, 14))
    assert read > 26
    assert benchmark.padding_waste(tiny, ["abc", "abcde"]) == pytest.approx(1 - 26 / read)


def test_its_posts_are_spread_over_the_whole_corpus() -> None:
    posts = benchmark.read_posts(None, 50)
    assert len(posts) == 50
    assert {post.lang for post in posts} == {"pl", "en"}
    assert len(benchmark.read_posts(None, 10**9)) > 1_000


def test_it_runs_and_says_what_it_skips(tiny: Path) -> None:
    command = [sys.executable, "benchmarks/triage.py", "--posts", "9", "--threads", "1", "--model", str(tiny)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=300)

    assert done.returncode == 0, done.stderr
    for words in (
        "ours, backend onnxruntime",
        "the default (auto)",
        "backend transformers",
        "pipeline",
        "lexicon, Polish",
    ):
        assert words in done.stdout
    assert "does not describe the encoder" in done.stdout  # the tiny model has no layers to count
    assert "flip between one by one and batches: 0 (promise: 0)" in done.stdout
    assert "padding in our batches" in done.stdout
