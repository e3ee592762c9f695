"""`social classify` keeps the order of what it reads, and one bad line costs nobody else anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Social
from tests.triage.tiny_model import write_tiny_model

KEYS = {
    "id",
    "language",
    "sentiment",
    "sentiment_scores",
    "urgency",
    "urgency_scores",
    "needs_reply",
    "flags",
    "abstained",
    "model",
}


def as_lines(*items: object) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


def test_a_text_is_judged_in_words(social: Social, shop: Path) -> None:
    done = social("classify", "Paczka nie doszła, proszę o kontakt z człowiekiem!")

    assert done.code == 0, done.err
    assert "sentiment" in done.out
    assert "urgency" in done.out


def test_a_text_is_judged_as_json(social: Social, shop: Path) -> None:
    found = social("classify", "Gdzie jest moja paczka?", "--json").json

    assert set(found) >= KEYS
    assert set(found["sentiment_scores"]) == {"negative", "neutral", "positive"}
    assert set(found["urgency_scores"]) == {"critical", "high", "normal", "low"}
    assert abs(sum(found["sentiment_scores"].values()) - 1) < 0.001


def test_lines_come_out_in_the_order_they_went_in(social: Social, shop: Path) -> None:
    texts = [{"id": number, "text": f"Gdzie jest paczka {number}?", "lang": "pl"} for number in range(450, 0, -1)]

    done = social("classify", "-", stdin=as_lines(*texts))

    assert done.code == 0, done.err
    assert [line["id"] for line in done.lines] == list(range(450, 0, -1))
    assert all(set(line) >= KEYS for line in done.lines)


def test_a_line_that_cannot_be_used_says_so_in_its_place(social: Social, shop: Path) -> None:
    lines = [
        b'{"id": 1, "text": "Dzie\xc5\x84 dobry"}',
        b"not json",
        b'["a", "list"]',
        b'{"id": 4}',
        b'{"id": 5, "text": "x", "lang": 7}',
        b"\xff\xfe",
        b'{"id": "seven", "text": "Thank you!"}',
    ]

    done = social("classify", "-", stdin=b"\n".join(lines))

    assert done.code == 2
    assert [line.get("id") for line in done.lines] == [1, None, None, 4, 5, None, "seven"]
    assert [line["line"] for line in done.lines if "error" in line] == [2, 3, 4, 5, 6]
    assert "5 of the lines could not be used" in done.err


def test_what_is_no_json_does_not_come_out_as_json(social: Social, shop: Path) -> None:
    done = social("classify", "-", stdin=b'{"id": NaN, "text": "ok"}\n{"id": 2, "text": "ok"}\n')
    first, second = (json.loads(line, parse_constant=pytest.fail) for line in done.out.splitlines())
    assert "NaN is not JSON" in first["error"]
    assert second["id"] == 2


def test_strange_texts_are_judged_and_not_choked_on(social: Social, shop: Path) -> None:
    strange = ["", " ", "\x00", "\ud800", "😀" * 3000, "a" * 100_000, "\u202eabc", "=HYPERLINK(1)"]

    done = social(
        "classify", "-", stdin=as_lines(*({"id": number, "text": text} for number, text in enumerate(strange)))
    )

    assert done.code == 0, done.err
    assert [line["id"] for line in done.lines] == list(range(len(strange)))
    assert all("error" not in line for line in done.lines)


@pytest.mark.parametrize("nothing", ["", "\n\n"])
def test_nothing_in_is_told_since_something_before_it_failed(social: Social, shop: Path, nothing: str) -> None:
    done = social("classify", "-", stdin=nothing)

    assert (done.code, done.out) == (2, "")
    assert "nothing came from standard input" in done.err


# --- why --------------------------------------------------------------------------------------------------------------


def with_tiny_model(shop: Path) -> None:
    folder = write_tiny_model(shop / "tiny")
    config = (shop / "config.toml").read_text(encoding="utf-8")
    chosen = config.replace('backend = "rules"', f'backend = "onnxruntime"\nmodel = "{folder}"')
    (shop / "config.toml").write_text(chosen, encoding="utf-8")


def test_a_word_alone_leans_on_what_the_customer_wrote_before(social: Social, shop: Path) -> None:
    with_tiny_model(shop)
    before = "Trzeci tydzień czekam na zwrot pieniędzy i nikt nie odpowiada!"
    alone, after = (
        social("classify", "???", "--json").json,
        social("classify", "???", "--before", before, "--json").json,
    )
    item = {"id": 1, "text": "???", "before": before}
    (line,) = social("classify", "-", stdin=as_lines(item)).lines

    assert alone["sentiment_scores"] != after["sentiment_scores"]
    assert line["sentiment_scores"] == after["sentiment_scores"]
    assert "thread" in json.dumps(after["reasons"]) and "thread" not in json.dumps(alone["reasons"])
    refused = social("classify", "-", stdin=as_lines({"id": 1, "text": "ok", "before": 7}))
    assert refused.code == 2 and refused.lines[0]["error"] == '"before" is not a text'


def test_why_names_the_words_that_moved_the_model(social: Social, shop: Path) -> None:
    with_tiny_model(shop)

    done = social("classify", "--why", "Gdzie moja paczka?")
    found = social("classify", "--why", "Gdzie moja paczka?", "--json").json

    assert done.code == 0, done.err
    assert "words, sentiment" in done.out
    assert "words, urgency" in done.out
    why = found["why"]
    assert why["sentiment"]["label"] == found["sentiment"]
    assert [word["text"] for word in why["words"]] == ["Gdzie", "moja", "paczka", "?"]
    assert any(word["sentiment"] for word in why["words"])


def test_why_works_for_lines_too(social: Social, shop: Path) -> None:
    with_tiny_model(shop)

    first, second = social("classify", "-", "--why", stdin=as_lines({"id": 1, "text": "ok"}, {"id": 2})).lines

    assert [word["text"] for word in first["why"]["words"]] == ["ok"]
    assert "error" in second


def test_rules_alone_have_their_reasons_and_no_words(social: Social, shop: Path) -> None:
    done = social("classify", "--why", "Mój prawnik się odezwie")

    assert "law-or-authorities" in done.out
    assert "the model says nothing" in done.out


def test_a_customers_escape_sequences_do_not_reach_the_terminal(social: Social, shop: Path) -> None:
    with_tiny_model(shop)

    done = social("classify", "--why", "czerwona \x1b[31mpaczka\u202e \x9b1m")

    assert done.code == 0, done.err
    assert not {"\x1b", "\u202e", "\x9b"} & set(done.out)
