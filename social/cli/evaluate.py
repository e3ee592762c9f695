"""``social evaluate``: how right the classifier is on texts that people have labelled."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from social.cli.command import Config, Json, new_app, print_json, say

if TYPE_CHECKING:
    from social.cli.labelled_file import LabelledFile
    from social.ports import Classifier
    from social.settings import Settings
    from triage.evaluation import Evaluation

app = new_app()

_BACKENDS = ("auto", "onnxruntime", "openvino", "transformers", "rules")
_NAMED_REASONS = 10


@app.command()
def evaluate(
    file: Annotated[Path, typer.Argument(help="JSON Lines or CSV, also as .gz: a text and its gold labels.")],
    config: Config = None,
    text_column: Annotated[str, typer.Option("--text-column", metavar="NAME", help="The column of texts.")] = "text",
    gold: Annotated[
        list[str] | None,
        typer.Option("--gold", metavar="HEAD=NAME", help="The column of a label: --gold sentiment=mood. Repeatable."),
    ] = None,
    backend: Annotated[
        str | None, typer.Option("--backend", metavar="NAME", help=f"Another [triage] backend: {', '.join(_BACKENDS)}.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="FOLDER", help="Another [triage] model; a hub's name likewise.")
    ] = None,
    target_precision: Annotated[
        float | None,
        typer.Option("--target-precision", metavar="SHARE", help="Suggest thresholds that reach it, such as 0.9."),
    ] = None,
    two_class: Annotated[
        bool | None,
        typer.Option("--two-class/--three-class", help="Negative or positive only. Default: by the labels there are."),
    ] = None,
    errors: Annotated[int, typer.Option("--errors", metavar="N", min=0, help="Show the N surest mistakes.")] = 0,
    as_json: Json = False,
) -> None:
    """Judge labelled texts and count how often the judgement is right.

    Columns are found by name: text; sentiment, urgency, needs_reply, flags, language. A file with "label" and "task" says
    itself what its labels are. Every text is judged alone, as if nothing were known around it. Rows that cannot be used
    are counted and named; the exit code is 2 only where none can be used. Mistakes are shown with their texts on the
    terminal, in JSON with their lines only.
    """
    from social.cli import logs
    from social.cli.evaluate_text import as_text, described
    from social.cli.labelled_file import LabelledFile
    from social.settings import load_settings
    from triage.evaluation_report import report

    if target_precision is not None and not 0 < target_precision < 1:
        raise typer.BadParameter("must lie between 0 and 1, such as 0.9", param_hint="--target-precision")
    labelled = LabelledFile(file, text_column=text_column, gold=_gold_columns(gold or []))
    settings = _with_model(load_settings(config), backend, model)
    logs.set_up(level="WARNING")
    judge, evaluation = _evaluate(labelled, settings, mistakes=errors)
    found = report(evaluation, two_class=two_class, target_precision=target_precision)
    if as_json:
        print_json(described(labelled, str(judge.identity), found, target_precision))
    else:
        print(as_text(labelled, str(judge.identity), found, target_precision, errors=errors))
    _name_left_out(labelled)


def _gold_columns(given: list[str]) -> dict[str, str]:
    from social.cli.labelled_file import COLUMNS

    found = {}
    for entry in given:
        head, equals, name = entry.partition("=")
        if head not in COLUMNS or not equals or not name.strip():
            raise typer.BadParameter(
                f"{entry!r}: write HEAD=NAME, where HEAD is one of {', '.join(COLUMNS)}", param_hint="--gold"
            )
        found[head] = name
    return found


def _with_model(settings: Settings, backend: str | None, model: str | None) -> Settings:
    from social.settings import TriageBackend

    if backend is not None and backend not in set(TriageBackend):
        raise typer.BadParameter(f"{backend!r}: choose one of {', '.join(TriageBackend)}", param_hint="--backend")
    changes = {
        **({} if backend is None else {"backend": TriageBackend(backend)}),
        **({} if model is None else {"model": model}),
    }
    return settings.model_copy(update={"triage": settings.triage.model_copy(update=changes)})


def _evaluate(labelled: LabelledFile, settings: Settings, *, mistakes: int) -> tuple[Classifier, Evaluation]:
    """Stream the file through the judge, which is only opened once a row can be used."""
    from social.domain.assessment import TextToAssess
    from social.engine.build import open_judge
    from triage.evaluation import Evaluation

    evaluation = Evaluation(mistakes=mistakes)
    rows = labelled.rows()
    chunk = list(islice(rows, settings.triage.batch))
    judge = open_judge(settings)
    with _progress() as tell:
        while chunk:
            evaluation.add(chunk, judge.assess([TextToAssess(text=row.text) for row in chunk]))
            tell(evaluation.count)
            chunk = list(islice(rows, settings.triage.batch))
    return judge, evaluation


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """Tells how far it is, on a terminal only."""
    shown = sys.stderr.isatty()

    def tell(count: int) -> None:
        if shown:
            print(f"\r{count:,} judged", end="", file=sys.stderr, flush=True)

    try:
        yield tell
    finally:
        if shown:
            say()


def _name_left_out(labelled: LabelledFile) -> None:
    for reason, left in list(labelled.left_out.items())[:_NAMED_REASONS]:
        more = f" (and {left.count - 1:,} more)" if left.count > 1 else ""
        say(f"{labelled.path}:{left.line}: left out: {reason}{more}")
    if len(labelled.left_out) > _NAMED_REASONS:
        say(f"... and {len(labelled.left_out) - _NAMED_REASONS} more reasons (--json names them all)")
    if labelled.unexplained_label:
        say('The column "label" was not used: --gold sentiment=label (or urgency=label ...) says what it holds.')
