"""Awkward words on the command line's own pages and files: shown or written, never a crash, never a live escape."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from social.domain.post import Author
from social.store.session import Database
from tests.cast import at
from tests.cli.conftest import Social
from tests.factories import case, post, profile, remembered
from tests.reliability.awkward import AWKWARD

#: Those that could break a terminal, a file or a JSON document; the whole set goes through the store and the desk's pages.
SHOWN = (
    "nothing", "long words", "turned around", "nothing in the middle", "lone surrogates", "a mark of ours", "marks",
    "controls", "escapes", "noncharacters",
)  # fmt: skip
ASKED_AT = at("2026-11-20 10:00")


def test_every_awkward_text_is_listed_shown_and_counted(social: Social, shop: Path) -> None:
    assert social("db", "upgrade").code == 0
    database = Database(f"sqlite:///{shop / 'var' / 'shop.db'}")
    try:
        page = profile(database, "shop-page", brand="Shop", network="facebook")
        ids = {}
        for number, (name, text) in enumerate((name, AWKWARD[name]) for name in SHOWN):
            who = Author(native_id=f"c{number}", handle=text[:100], display_name=text[:100])
            asked = post(text, when=ASKED_AT + timedelta(seconds=number), by=who, native_id=f"p{number}")
            ids[name] = case(database, remembered(database, page, asked))
    finally:
        database.close()

    listed = social("queue", "list", "--json")
    assert listed.code == 0, listed.err
    assert len(json.loads(listed.out)) >= 1
    for name, case_id in ids.items():
        shown = social("queue", "show", str(case_id))
        assert shown.code == 0, (name, shown.err)
        assert "\x1b" not in shown.out
        as_json = social("queue", "show", str(case_id), "--json")
        assert as_json.code == 0, (name, as_json.err)
        json.loads(as_json.out)
    for form in ("csv", "json", "xlsx"):
        days = ("--from", "2026-11-16", "--to", "2026-11-23")
        done = social("export", "sentiment", *days, "--format", form, "--output", f"week.{form}")
        assert done.code == 0, done.err
        assert (shop / f"week.{form}").stat().st_size
