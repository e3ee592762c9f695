"""``social classify``: one text, or JSON Lines from standard input in input order."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from social.cli.command import Config, Json, columns, new_app, print_json, say

if TYPE_CHECKING:
    from social.domain.assessment import Assessment, Head, TextToAssess
    from social.ports import Classifier
    from triage.why import Explanation

app = new_app()

_BROKEN_INPUT = 2
_MAX_LINE = 8_000_000


@app.command()
def classify(
    text: Annotated[str, typer.Argument(metavar="TEXT|-", help="A text; or - for JSON Lines on standard input.")],
    config: Config = None,
    language: Annotated[
        str | None,
        typer.Option("--language", metavar="CODE", help="What the network says of the text's language: pl, en."),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option(
            "--before", metavar="TEXT", help="What the same customer wrote just before: a word or two lean on it."
        ),
    ] = None,
    why: Annotated[
        bool, typer.Option("--why", help="Also the words that moved the model most: up to forty times the work.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Judge a text: language, sentiment, urgency, whether it needs a reply, what it asks for.

    With - every line is {"id": ..., "text": "...", "lang": "pl", "before": "..."} (only "text" is a must), and one JSON line
    comes out for each, in the same order. A line that cannot be used comes out as {"id", "line", "error"}, and the exit
    code is 2.

    --why leaves out one word after the other (neighbours together in a long text) and shows by how much the probability of
    the model's label then falls: a word above zero speaks for the label, one below against it.
    """
    from social.cli import logs
    from social.domain.assessment import TextToAssess
    from social.domain.errors import UsageError
    from social.engine.build import load_judge
    from social.settings import load_settings

    settings = load_settings(config)
    logs.set_up(level="WARNING")
    judge, _ = load_judge(settings)
    if text != "-":
        judged = _judge(judge, [TextToAssess(text=text, language_hint=language, before=before)], why=why)[0]
        print_json(_described(None, judged)) if as_json else print(_for_people(judged))
        return
    read, broken = _classify_lines(judge, sys.stdin.buffer, batch=settings.triage.batch, hint=language, why=why)
    if not read:
        next_step = 'Pipe in one line a text, such as {"text": "Where is my parcel?"}'
        raise UsageError("nothing came from standard input.", next_step=next_step)
    if broken:
        say(f"{broken} of the lines could not be used; each says why in its place.")
        raise typer.Exit(_BROKEN_INPUT)


def _judge(judge: Classifier, texts: list[TextToAssess], *, why: bool) -> list[Assessment] | list[Explanation]:
    if not why:
        return judge.assess(texts)
    from triage.why import explain

    return [explain(judge, text) for text in texts]


def _classify_lines(
    judge: Classifier, lines: Iterable[bytes], *, batch: int, hint: str | None, why: bool = False
) -> tuple[int, int]:
    """Write one line for each line read; returns how many that were, and how many of them could not be used."""
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    broken = done = 0
    progress = sys.stderr.isatty()
    while chunk := list(islice(numbered, batch)):
        items = [_read(number, line, hint) for number, line in chunk]
        texts = [item.text for item in items if isinstance(item, _Usable)]
        results: Iterator[Assessment | Explanation] = iter(_judge(judge, texts, why=why))
        for item in items:
            if isinstance(item, _Usable):
                print_json(_described(item.id, next(results)), pretty=False)
            else:
                broken += 1
                print_json(item, pretty=False)
        sys.stdout.flush()
        done += len(items)
        if progress:
            print(f"\r{done} judged", end="", file=sys.stderr, flush=True)
    if progress and done:
        say()
    return done, broken


class _Usable:
    def __init__(self, id: object, text: TextToAssess) -> None:
        self.id, self.text = id, text


def _no_number(name: str) -> None:
    """NaN and Infinity are no JSON, and nothing that we could write back."""
    raise ValueError(f"{name} is not JSON")


def _read(number: int, line: bytes, hint: str | None) -> _Usable | dict[str, Any]:
    """A line's text to judge, or what is wrong with the line."""
    from social.domain.assessment import TextToAssess

    def unusable(why: str, id: object = None) -> dict[str, Any]:
        return {"id": id, "line": number, "error": why}

    if len(line) > _MAX_LINE:
        return unusable(f"the line is longer than {_MAX_LINE} bytes")
    try:
        item = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError:
        return unusable("the line is not UTF-8 text")
    except (ValueError, RecursionError) as error:
        return unusable(f"the line is not JSON ({error})")
    if not isinstance(item, dict):
        return unusable('the line must be an object like {"id": 1, "text": "..."}')
    text, language, before = item.get("text"), item.get("lang"), item.get("before")
    if not isinstance(text, str):
        return unusable('"text" is missing or is not a text', item.get("id"))
    if language is not None and not isinstance(language, str):
        return unusable('"lang" is not a text', item.get("id"))
    if before is not None and not isinstance(before, str):
        return unusable('"before" is not a text', item.get("id"))
    return _Usable(item.get("id"), TextToAssess(text=text, language_hint=language or hint, before=before))


def _described(id: object, judged: Assessment | Explanation) -> dict[str, Any]:
    from social.domain.assessment import Assessment

    if isinstance(judged, Assessment):
        return described(id, judged)
    return {**described(id, judged.assessment), "why": why_described(judged)}


def described(id: object, assessment: Assessment) -> dict[str, Any]:
    """An assessment as JSON. Scores are probabilities; labels are a best guess also where the head abstained."""
    return {
        "id": id,
        "language": assessment.language,
        "sentiment": assessment.sentiment.value,
        "sentiment_scores": {label.value: round(score, 6) for label, score in assessment.sentiment_scores.items()},
        "urgency": assessment.urgency.value,
        "urgency_scores": {label.value: round(score, 6) for label, score in assessment.urgency_scores.items()},
        "needs_reply": assessment.needs_reply,
        "topics": list(assessment.topics),
        "flags": sorted(flag.value for flag in assessment.flags),
        "abstained": sorted(head.value for head in assessment.abstained),
        "reasons": [
            {"source": reason.source, "name": reason.name, "evidence": reason.evidence, "effect": reason.effect}
            for reason in assessment.reasons
        ],
        "truncated": assessment.truncated,
        "model": str(assessment.model),
    }


def why_described(explanation: Explanation) -> dict[str, Any]:
    """An explanation as JSON: the words in the order of ``read``, the text as the model reads it, so that a page can mark
    them there. A change is the probability of the head's label less what it is without the word."""

    def label(best: Any) -> dict[str, Any] | None:
        return None if best is None else {"label": best[0].value, "probability": round(best[1], 6)}

    def change(value: float | None) -> float | None:
        return None if value is None else round(value, 6)

    return {
        "sentiment": label(explanation.sentiment),
        "urgency": label(explanation.urgency),
        "read": explanation.read,
        "words": [
            {
                "text": word.text,
                "start": word.start,
                "end": word.end,
                "sentiment": change(word.sentiment),
                "urgency": change(word.urgency),
            }
            for word in explanation.words
        ],
    }


def _for_people(judged: Assessment | Explanation) -> str:
    from social.cli.wording import printable
    from social.domain.assessment import Assessment

    assessment = judged if isinstance(judged, Assessment) else judged.assessment

    def scores(of: Any) -> str:
        return ", ".join(f"{label.value} {score:.0%}" for label, score in of.items())

    rows = [
        ("language", assessment.language),
        ("sentiment", f"{assessment.sentiment.value}  ({scores(assessment.sentiment_scores)})"),
        ("urgency", f"{assessment.urgency.value}  ({scores(assessment.urgency_scores)})"),
        ("needs reply", "yes" if assessment.needs_reply else "no"),
    ]
    if assessment.topics:
        rows.append(("topics", ", ".join(assessment.topics)))
    if assessment.flags:
        rows.append(("flags", ", ".join(sorted(flag.value for flag in assessment.flags))))
    if assessment.abstained:
        rows.append(("unsure of", ", ".join(sorted(head.value for head in assessment.abstained))))
    rows += [("because", printable(line)) for line in _because(assessment)]
    if not isinstance(judged, Assessment):
        rows += [(f"words, {head.value}", printable(line)) for head, line in _words(judged)]
    rows.append(("model", str(assessment.model)))
    return columns(rows)


def _words(explanation: Explanation) -> Iterator[tuple[Head, str]]:
    """For each head its label and the words that moved it most: ``positive 98%: "przemiła" +31%, "dziękuję" +4%``."""
    from social.domain.assessment import Head

    for head, best in ((Head.SENTIMENT, explanation.sentiment), (Head.URGENCY, explanation.urgency)):
        if best is None:
            yield head, "the model says nothing"
            continue
        moved = [
            f'"{" ".join(word.text.split())}" {(word.sentiment if head is Head.SENTIMENT else word.urgency) or 0:+.0%}'
            for word in explanation.heaviest(head)
        ]
        yield head, f"{best[0].value} {best[1]:.0%}: {', '.join(moved) or 'no single word moves it'}"


def _because(assessment: Assessment) -> Iterator[str]:
    for reason in assessment.reasons:
        evidence = f' "{reason.evidence}"' if reason.evidence else ""
        effect = f": {reason.effect}" if reason.effect else ""
        yield f"{reason.source} {reason.name}{evidence}{effect}"
