"""People's labels as rows of a file, in the shape of the project's own corpus: for training only what may teach."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from social.domain.label import Answer
from social.engine.labelling import PRIVATE, teaching
from social.store.label_rows import Labelled, of_rounds, of_the_desk, pairs
from social.store.labels import FIRST, answer_values
from social.store.session import Database

#: ``@name``, ``@name.example`` and ``@name@server``, as the classifier levels them too; a full stop behind it stays.
_HANDLE = re.compile(r"(?<![\w@])@\w+(?:[.-]\w+)*(?:@\w+(?:[.-]\w+)*)?")
_CHANGED = "The customer has changed the post since; label its new form instead."


class Purpose(StrEnum):
    TRAINING = "training"
    EVALUATION = "evaluation"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFile:
    """``rows`` in the order in which they were labelled; ``left_out``: reason -> how many posts."""

    rows: tuple[Mapping[str, Any], ...]
    left_out: Mapping[str, int]


def label_file(database: Database, purpose: Purpose) -> LabelFile:
    """One row a post: what the first person said. Corrections made on cases come after the rounds."""
    with database.read() as session:
        rounds, desk = list(of_rounds(session)), list(of_the_desk(session))
    second = {(one.post_id, one.revision_number): again.answer for one, again in pairs(rounds)}
    rows, left_out = [], Counter[str]()
    for one in [*(one for one in rounds if one.turn == FIRST), *desk]:
        if reason := _kept_back(one, purpose):
            left_out[reason] += 1
            continue
        again = second.get((one.post_id, one.revision_number))
        rows.append(_row(one, _disputed(one.answer, again), purpose))
    return LabelFile(rows=tuple(rows), left_out=dict(left_out))


def masked(text: str, our_handle: str | None) -> str:
    """Handles as the classifier reads them: ``@brand`` is ours, everybody else is ``@user``."""
    ours = (our_handle or "").removeprefix("@").casefold()
    return _HANDLE.sub(lambda found: "@brand" if found[0][1:].casefold() == ours else "@user", text)


def _kept_back(one: Labelled, purpose: Purpose) -> str:
    """Why this label is no part of the file; empty where it is. What was allowed when it was made must be so still."""
    if one.text is None:
        return _CHANGED
    if purpose is Purpose.EVALUATION:
        return ""
    if one.private:
        return PRIVATE
    rule = teaching(one.network)
    if not rule.allowed:
        return f"{one.network}: {rule.reason}"
    if one.may_teach is False:
        return f"{one.network}: it did not allow it when the label was made."
    return ""


def _row(one: Labelled, disputed: Sequence[str], purpose: Purpose) -> Mapping[str, Any]:
    """Heads that nobody spoke of are left out; for training also those on which two people differ."""
    said = {name: value for name, value in answer_values(one.answer).items() if value is not None}
    if purpose is Purpose.TRAINING:
        said = {name: value for name, value in said.items() if name not in disputed}
    return {
        "id": f"post-{one.post_id}",
        "text": masked(one.text or "", one.our_handle),
        "lang": one.language,
        **said,
        "source": one.network,
        "picked": one.picked.value,
        "labelled_at": one.made_at.isoformat(),
        "model": str(one.model),
        **({"disputed": list(disputed)} if disputed else {}),
    }


def _disputed(first: Answer, second: Answer | None) -> Sequence[str]:
    if second is None:
        return ()
    said, again = answer_values(first), answer_values(second)
    return [name for name in said if None not in (said[name], again[name]) and said[name] != again[name]]


def told(left_out: Mapping[str, int]) -> Iterable[str]:
    """For people, the most frequent reason first."""
    for reason, count in sorted(left_out.items(), key=lambda item: -item[1]):
        yield f"{count} left out. {reason}"
