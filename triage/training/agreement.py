"""How far two readers of the corpus agree: Cohen's kappa of a second, blind labelling.

    python -m triage.training.agreement

`second_labels.jsonl` holds what a second reader said of 1,210 texts drawn at random from the corpus, without seeing the first
labels. Both readers were language models that followed the same guidelines, so this measures how clear the guidelines and the
texts are, not how people would differ. Topics are left out: the second reader had no list of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from triage.training.data import HERE, read_rows

SECOND = HERE / "second_labels.jsonl"
FLAGS = ("safety", "fraud", "legal", "formal", "wants_human", "repeat_contact", "minors", "outage", "rising_anger")


def both() -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Id -> labels, of the first and of the second reader, for the texts that both have read."""
    files = sorted((HERE / "corpus").glob("*.jsonl"))
    first = {row["id"]: row for path in files for row in read_rows(path)}
    second = {row["id"]: row for row in read_rows(SECOND) if row["id"] in first}
    return {id_: first[id_] for id_ in second}, second


def kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Agreement beyond what chance would give: 1 where they always agree, 0 where chance would do as well."""
    total = len(first)
    same = sum(a == b for a, b in zip(first, second, strict=True)) / total
    ours, theirs = Counter(first), Counter(second)
    chance = sum(ours[label] * theirs[label] for label in ours) / total**2
    return 1.0 if chance == 1 else (same - chance) / (1 - chance)


def weighted(first: Sequence[str], second: Sequence[str], order: Sequence[str]) -> float:
    """Kappa with squared distances in ``order``: two levels apart weighs four times as much as one."""
    ours, theirs = [order.index(label) for label in first], [order.index(label) for label in second]
    seen = sum((a - b) ** 2 for a, b in zip(ours, theirs, strict=True)) / len(ours)
    chance = sum((a - b) ** 2 for a in ours for b in theirs) / len(ours) ** 2
    return 1 - seen / chance


def report(first: Mapping[str, Mapping[str, Any]], second: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = []
    for language in ("pl", "en"):
        ids = [id_ for id_ in second if first[id_]["lang"] == language]
        lines.append(f"{language}: {len(ids)} texts")
        for head in ("sentiment", "urgency", "needs_reply"):
            found = kappa([first[id_][head] for id_ in ids], [second[id_][head] for id_ in ids])
            lines.append(f"  {head:16} kappa {found:.2f}")
        levels = [[rows[id_]["urgency"] for id_ in ids] for rows in (first, second)]
        lines.append(f"  {'urgency':16} weighted kappa {weighted(*levels, order=RANK):.2f}")
        for flag in FLAGS:
            said = [[flag in rows[id_]["flags"] for id_ in ids] for rows in (first, second)]
            lines.append(f"  {flag:16} kappa {kappa(*said):.2f} ({sum(said[0])} and {sum(said[1])} texts)")
    return lines


RANK = ("low", "normal", "high", "critical")

if __name__ == "__main__":
    print("\n".join(report(*both())))
