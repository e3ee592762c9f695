"""`social evaluate` reads what people export, says what it could not use, and counts the rest."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from social.settings import TriageBackend
from tests.cli.conftest import Social
from tests.triage.tiny_model import write_tiny_model


def lines(*items: object) -> str:
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)


def head(found: dict[str, Any], name: str, language: str | None = None) -> dict[str, Any]:
    (one,) = (entry for entry in found["heads"] if (entry["head"], entry["language"]) == (name, language))
    return one  # type: ignore[no-any-return]


@pytest.fixture
def labelled(shop: Path) -> Path:
    """Judged by rules alone: everything needs a reply but plain thanks, a lawyer is critical and legal."""
    file = shop / "export.jsonl"
    file.write_text(
        lines(
            {
                "text": "Mój prawnik się z Państwem skontaktuje",
                "urgency": "critical",
                "needs_reply": True,
                "flags": ["legal"],
            },
            {"text": "Gdzie jest paczka?", "urgency": "normal", "needs_reply": True, "flags": []},
            {"text": "Dziękuję!", "urgency": "low", "needs_reply": False, "flags": []},
            {"text": "Nic szczególnego się nie dzieje", "urgency": "low", "needs_reply": False, "flags": []},
        ),
        encoding="utf-8",
    )
    return file


def test_it_counts_as_one_does_by_hand(social: Social, labelled: Path) -> None:
    done = social("evaluate", str(labelled), "--json")

    assert done.code == 0, done.err
    found = done.json
    assert (found["texts"], found["model"], found["left_out"]) == (4, "rules-only@1", [])
    urgency = head(found, "urgency")
    assert urgency["accuracy"]["value"] == 0.75
    assert urgency["macro_recall"]["value"] == pytest.approx((1 + 1 + 0.5) / 3, abs=1e-6)
    assert urgency["confusion"] == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]
    assert (urgency["ece"], urgency["brier"], urgency["coverage"]) == (None, None, 0.0)
    assert head(found, "needs_reply")["accuracy"]["value"] == 0.75
    assert head(found, "flags")["accuracy"]["value"] == 1.0


def test_it_prints_a_table_that_people_can_read(social: Social, labelled: Path) -> None:
    done = social("evaluate", str(labelled), "--target-precision", "0.9", "--errors", "3")

    assert done.code == 0, done.err
    for words in ("4 texts", "URGENCY", "NEEDS REPLY", "FLAGS", "precision", "THRESHOLDS", "SUREST MISTAKES"):
        assert words in done.out
    assert "Nic szczególnego" in done.out
    assert "Nic szczególnego" not in done.err


def test_a_model_of_ones_own_is_measured_with_its_probabilities(social: Social, labelled: Path, tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny")

    done = social("evaluate", str(labelled), "--backend", "onnxruntime", "--model", str(folder), "--json")

    assert done.code == 0, done.err
    assert done.json["model"] == "tiny@1"
    assert 0 <= head(done.json, "urgency")["ece"] <= 1
    assert 0 <= head(done.json, "urgency")["brier"] <= 2


def test_a_model_that_cannot_be_loaded_is_an_error_and_never_rules_in_disguise(social: Social, labelled: Path) -> None:
    done = social("evaluate", str(labelled), "--backend", "onnxruntime", "--model", "nowhere")

    assert (done.code, done.out) == (7, "")
    assert "nowhere" in done.err


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "csv", "csv.gz", "semicolons.csv", "without-a-name"])
def test_the_same_texts_in_any_form_give_the_same_figures(
    social: Social, labelled: Path, shop: Path, form: str
) -> None:
    expected = social("evaluate", str(labelled), "--json").json
    rows = [json.loads(line) for line in labelled.read_text(encoding="utf-8").splitlines()]
    if "csv" in form:
        mark = ";" if "semicolons" in form else ","
        cells = [
            [f'"{row["text"]}"', row["urgency"], str(row["needs_reply"]), "|".join(row["flags"]) or "-"] for row in rows
        ]
        # a byte order mark and Windows line ends, as spreadsheets write them
        text = "\ufeff" + "\r\n".join(mark.join(row) for row in [["Text", "urgency", "needs_reply", "flags"], *cells])
    else:
        text = labelled.read_text(encoding="utf-8")
    file = shop / f"other.{form}"
    file.write_bytes(gzip.compress(text.encode()) if form.endswith("gz") else text.encode())

    found = social("evaluate", str(file), "--json").json

    assert {**found, "file": ""} == {**expected, "file": ""}


def test_a_file_that_names_its_task_needs_no_options(social: Social, shop: Path) -> None:
    file = shop / "set.jsonl"
    file.write_text(
        lines(
            {"text": "Dziękuję!", "label": "positive", "lang": "pl", "task": "sentiment"},
            {"text": "Where is my parcel?", "label": "high", "lang": "en-GB", "task": "urgency"},
            {
                "text": "Wo ist mein Paket? Ich warte schon seit drei Wochen.",
                "label": "de",
                "lang": "?",
                "task": "language",
            },
        ),
        encoding="utf-8",
    )

    found = social("evaluate", str(file), "--json").json

    assert head(found, "sentiment")["n"] == head(found, "urgency")["n"] == 1
    assert head(found, "language")["n"] == 3
    assert found["columns"]["urgency"] == "label"


def test_columns_may_have_other_names(social: Social, shop: Path) -> None:
    file = shop / "mood.csv"
    file.write_text("Wpis,Nastrój\nsuper,POS\nźle,Negatywny\nok,neu\n", encoding="utf-8")

    done = social("evaluate", str(file), "--text-column", "wpis", "--gold", "sentiment=nastrój", "--json")

    assert done.code == 0, done.err
    assert [label["gold"] for label in head(done.json, "sentiment")["labels"]] == [1, 1, 1]


def test_a_text_over_several_lines_of_a_csv_is_one_text_and_lines_are_still_right(social: Social, shop: Path) -> None:
    file = shop / "lines.csv"
    file.write_text('text,sentiment\n"raz\ndwa",neutral\ntrzy,wrong\nok,neutral\n', encoding="utf-8")

    done = social("evaluate", str(file), "--json")

    assert done.json["texts"] == 2
    assert [left["line"] for left in done.json["left_out"]] == [4]


def test_rows_that_cannot_be_used_are_counted_and_named(social: Social, shop: Path) -> None:
    good = json.dumps({"text": "Dziękuję", "sentiment": "positive", "lang": "pl"}, ensure_ascii=False).encode()
    neutral = good.replace(b"positive", b"neutral")
    file = shop / "mixed.jsonl"
    bad = [
        b"not json",
        b'["a", "list"]',
        '{"text": "zażółć", "sentiment": "negative"}'.encode("cp1250"),
        b'{"text": "", "sentiment": "negative"}',
        b'{"sentiment": "negative"}',
        b'{"text": "x", "sentiment": "ambivalent"}',
        b'{"text": "x", "sentiment": "ambivalent"}',
        b'{"text": "x", "sentiment": null}',
        b'{"text": "x", "sentiment": "neutral", "lang": 7}',
    ]
    file.write_bytes(b"\n".join([good, *bad, neutral]))

    done = social("evaluate", str(file), "--json")

    assert done.code == 0, done.err
    assert done.json["texts"] == 2
    assert [(left["line"], left["count"]) for left in done.json["left_out"]] == [
        (2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (7, 2), (9, 1), (10, 1),
    ]  # fmt: skip
    assert f"{file}:7: left out" in done.err
    assert "ambivalent" in done.err
    assert "UTF-8" in done.err


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.jsonl", b"", "nothing in this file"),
        ("a.csv", b"text,sentiment\n", "nothing in this file"),
        ("a.jsonl", b"not json\nnor this\n", "line 1: not JSON"),
        ("a.jsonl", b'{"text": "x", "mood": "good"}\n', "no label that can be measured"),
        ("a.jsonl", b'{"tekst": "x", "sentiment": "neutral"}\n', 'no "text"'),
        ("a.csv", b"tekst,sentiment\nx,neutral\n", "Its columns: tekst, sentiment"),
        ("a.csv", b"text,text\nx,neutral\n", "name its columns"),
        ("a.csv", "text,sentiment\nzażółć,neutral\n".encode("cp1250"), "UTF-8"),
        ("a.csv", "text,sentiment\nx,neutral\n".encode("utf-16"), "UTF-16"),
        ("a.jsonl", b'{"text": "x", "sentiment": "great"}\n', '"great", known are: negative'),
        ("a.jsonl.gz", gzip.compress(b'{"text": "x"}\n' * 99, mtime=0)[:20], "damaged"),
        ("a.csv", b"\x00\x01\x02\x03\n\x00", "a.csv"),
    ],
)
def test_a_file_of_which_nothing_can_be_used_is_refused_with_the_reason(
    social: Social, shop: Path, name: str, content: bytes, told: str
) -> None:
    file = shop / name
    file.write_bytes(content)

    done = social("evaluate", str(file))

    assert (done.code, done.out) == (2, "")
    assert str(file) in done.err
    assert told in done.err
    assert "unexpected" not in done.err


def test_a_damaged_end_costs_only_the_end(social: Social, shop: Path) -> None:
    rows = b"".join(b'{"text": "nr %d", "sentiment": "neutral"}\n' % number for number in range(5_000))
    file = shop / "cut.jsonl.gz"
    file.write_bytes(gzip.compress(rows)[:-2_000])

    done = social("evaluate", str(file), "--json")

    assert done.code == 0, done.err
    assert 0 < done.json["texts"] < 5_000
    assert "damaged" in done.json["left_out"][0]["reason"]


def test_a_column_that_was_named_must_be_there(social: Social, labelled: Path) -> None:
    done = social("evaluate", str(labelled), "--gold", "sentiment=mood")

    assert done.code == 2
    assert 'no "mood"' in done.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--gold", "mood=label"), "HEAD=NAME"),
        (("--gold", "sentiment"), "HEAD=NAME"),
        (("--backend", "magic"), "magic"),
        (("--target-precision", "90"), "between 0 and 1"),
        (("--errors", "-1"), "errors"),
    ],
)
def test_wrong_options_say_what_is_wanted(social: Social, labelled: Path, options: tuple[str, ...], told: str) -> None:
    done = social("evaluate", str(labelled), *options)

    assert (done.code, done.out) == (2, "")
    assert told in done.err


@pytest.mark.parametrize("name", ["nowhere.jsonl", "."])
def test_a_file_that_is_not_there_is_said(social: Social, shop: Path, name: str) -> None:
    done = social("evaluate", str(shop / name))

    assert done.code == 2
    assert "cannot be read" in done.err


def test_two_classes_are_told_and_can_be_refused(social: Social, shop: Path) -> None:
    file = shop / "two.jsonl"
    file.write_text(
        lines({"text": "super", "sentiment": "positive"}, {"text": "źle", "sentiment": "negative"}), "utf-8"
    )

    assert "Nobody called a text neutral" in social("evaluate", str(file)).out
    assert social("evaluate", str(file), "--json").json["two_class"] is True
    assert social("evaluate", str(file), "--three-class", "--json").json["two_class"] is False


def test_a_column_label_without_a_task_is_asked_about(social: Social, shop: Path) -> None:
    file = shop / "unclear.jsonl"
    file.write_text(lines({"text": "Gdzie jest moja paczka?", "label": "neutral", "lang": "pl"}), "utf-8")

    assert "--gold sentiment=label" in social("evaluate", str(file)).err
    assert "--gold" not in social("evaluate", str(file), "--gold", "sentiment=label").err


def test_a_customers_escape_sequences_reach_neither_terminal_nor_json(social: Social, shop: Path) -> None:
    file = shop / "evil.jsonl"
    evil = "czerwony \x1b[31m tekst \u202e i \ud800 pół znaku"
    file.write_text(
        "".join(
            json.dumps(item) + "\n"
            for item in ({"text": evil, "needs_reply": False}, {"text": "x", "urgency": "\x1b[31m\u202e"})
        ),
        "utf-8",
    )

    done = social("evaluate", str(file), "--errors", "5")

    assert done.code == 0, done.err
    assert "czerwony" in done.out
    assert not {"\x1b", "\u202e"} & set(done.out + done.err)
    assert "czerwony" not in social("evaluate", str(file), "--errors", "5", "--json").out


def test_a_million_wrong_labels_are_not_a_million_reasons(social: Social, shop: Path) -> None:
    file = shop / "wrong.jsonl"
    file.write_text(
        lines({"text": "x", "sentiment": "neutral"}, *({"text": "x", "sentiment": f"l{n}"} for n in range(300)))
    )

    done = social("evaluate", str(file), "--json")

    assert sum(left["count"] for left in done.json["left_out"]) == 300
    assert len(done.json["left_out"]) <= 51
    assert "more reasons" in done.err


def test_the_help_names_every_backend(social: Social) -> None:
    shown = social("evaluate", "--help").out

    assert [backend for backend in TriageBackend if backend not in shown] == []
