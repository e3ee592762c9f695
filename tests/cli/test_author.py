"""`social author`, and `social db restore` and `purge`, as somebody types them."""

from __future__ import annotations

import json
import re
import sqlite3
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from social import clock
from social.store.session import Database
from social.store.tables import EscalationRow, PostRow
from tests.cast import ANNA, PIOTR
from tests.cli.conftest import Social
from tests.engine.looking import rows
from tests.factories import case, planned, post, profile, remembered


@pytest.fixture
def kept(social: Social, shop: Path) -> Database:
    """Anna waits, an acknowledgement is planned; Piotr was here long ago."""
    assert social("db", "upgrade").code == 0
    database = Database(f"sqlite:///{shop}/var/shop.db")
    now = clock.machine_now()
    account = profile(database, "shop-page", brand="Shop", network="facebook", now=now)
    asked = remembered(database, account, post("Gdzie jest kanarek?", when=now - timedelta(minutes=5)))
    case(database, asked)
    planned(database, asked)
    long_ago = now - timedelta(days=500)
    old = remembered(database, account, post("Dawno temu.", when=long_ago, by=PIOTR, raw={"a": 1}))
    with database.write() as session:
        row = session.get(PostRow, old)
        assert row is not None
        row.state, row.outcome = "judged", "ignored"
    return database


def test_forget_shows_what_it_would_do_and_wants_a_yes(social: Social, kept: Database) -> None:
    refused = social("author", "forget", "facebook", "@anna.n", "--reason", "asked", stdin="n\n")

    assert refused.code == 2
    assert "nobody can be asked here. Repeat it with --yes." in refused.err
    for line in ("posts", "1 planned replies would be cancelled", "Cases that wait for people would be closed: 1"):
        assert line in refused.err
    assert rows(kept, PostRow)[0].text == "Gdzie jest kanarek?"


def test_forget_allow_and_the_list(social: Social, kept: Database, shop: Path) -> None:
    copy = Path(social("db", "backup", "--json").json["backup"])

    done = social("author", "forget", "facebook", "anna.n", "--reason", "asked by letter", "--as", "hanna", "--yes")

    assert done.code == 0, done.err
    assert done.out.startswith("Forgotten: ")
    assert str(copy) in done.err  # which still holds her
    assert rows(kept, EscalationRow)[0].state == "closed"
    kept.close()
    for file in (shop / "var").glob("shop.db*"):
        assert b"kanarek" not in file.read_bytes()
    (stone,) = social("author", "list", "--json").json
    assert (stone["network"], stone["reason"], stone["forgotten_by"]) == ("facebook", "asked by letter", "hanna")
    assert "left out 0 times" in social("author", "list").out
    assert social("author", "allow", "facebook", ANNA.native_id).code == 0
    assert social("author", "list").out == "Nobody is forgotten.\n"
    assert social("author", "allow", "facebook", ANNA.native_id).code == 2


def test_who_was_let_in_again_is_exported_and_forgotten_again(social: Social, kept: Database) -> None:
    yes = ("--reason", "asked", "--yes")
    assert social("author", "forget", "facebook", "anna.n", *yes).code == 0
    assert social("author", "allow", "facebook", ANNA.native_id).code == 0
    now = clock.machine_now()
    account = profile(kept, "shop-page", brand="Shop", network="facebook", now=now)
    remembered(kept, account, post("Tu znowu kanarek.", when=now))

    exported = social("author", "export", "facebook", ANNA.native_id)
    again = social("author", "forget", "facebook", ANNA.native_id, *yes)
    remembered(kept, account, post("@anna.n pisała.", when=now, by=PIOTR))  # read in, but without her
    once_more = social("author", "forget", "facebook", "@anna.n", *yes)

    assert [row["text"] for row in exported.json["data"]["posts"]] == ["Tu znowu kanarek."]
    assert again.code == 0, again.err
    assert once_more.code == 0, once_more.err
    assert once_more.out.endswith(" 0 mentions elsewhere are gone.\n")
    assert "They were forgotten before, so elsewhere it was searched for @anna.n alone." in once_more.err
    assert {row.text for row in rows(kept, PostRow)} == {"", "Dawno temu.", "[…] pisała."}


@pytest.mark.parametrize(
    ("network", "who", "says"),
    [
        ("facebook", "nobody", "nobody called 'nobody' is known here"),
        ("elsewhere", "anna.n", "nobody on a network 'elsewhere' is known here. Networks with authors: facebook."),
    ],
)
def test_who_is_not_known_is_told(social: Social, kept: Database, network: str, who: str, says: str) -> None:
    for verb in ("export", "forget"):
        done = social("author", verb, network, who, *(["--reason", "x", "--yes"] if verb == "forget" else []))
        assert done.code == 2
        assert says in done.err


def test_export_writes_a_file_that_only_its_owner_reads(social: Social, kept: Database, shop: Path) -> None:
    done = social("author", "export", "facebook", "anna.n", "--to", "anna.json", "--as", "hanna")

    assert done.code == 0
    assert done.out == ""
    document = json.loads((shop / "anna.json").read_bytes())
    assert document["data"]["posts"][0]["text"] == "Gdzie jest kanarek?"
    assert "Dawno" not in json.dumps(document)
    assert stat.S_IMODE((shop / "anna.json").stat().st_mode) == 0o600
    assert social("author", "export", "facebook", "anna.n").json["data"]["posts"] == document["data"]["posts"]


def test_purge_counts_first_and_then_does_it(social: Social, kept: Database) -> None:
    counted = social("db", "purge", "--dry-run", "--json").json["rows"]
    assert (counted["raw answers"], counted["texts"]) == (1, 1)
    assert "Would be purged:" in social("db", "purge", "--dry-run").out
    assert rows(kept, PostRow)[1].text == "Dawno temu."

    done = social("db", "purge")

    assert done.out.startswith("Purged:")
    assert [row.text for row in rows(kept, PostRow)] == ["Gdzie jest kanarek?", ""]
    assert social("db", "purge").out == "Nothing is older than [retention] allows.\n"


def test_restore_goes_back_and_says_where_the_present_one_is(social: Social, kept: Database, shop: Path) -> None:
    copy = social("db", "backup", "--to", "copies", "--json").json["backup"]
    now = clock.machine_now()
    account = profile(kept, "shop-page", brand="Shop", network="facebook", now=now)
    remembered(kept, account, post("Po kopii.", when=now, by=PIOTR))
    kept.close()

    refused = social("db", "restore", copy)
    done = social("db", "restore", copy, "--yes", "--json")

    assert refused.code == 2
    assert "--yes" in refused.err
    assert done.code == 0, done.err
    for file, posts in ((shop / "var" / "shop.db", 2), (Path(done.json["aside"]), 3)):
        connection = sqlite3.connect(file)
        assert connection.execute("SELECT count(*) FROM post").fetchone() == (posts,)
        connection.close()
    assert social("db", "status").code == 0


def test_on_sqlite_the_present_file_is_asked_and_no_other(social: Social, kept: Database) -> None:
    copy = social("db", "backup", "--json").json["backup"]

    refused = social("db", "restore", copy, "--previous", "postgresql://nobody@127.0.0.1:9/desk", "--yes")

    assert refused.code == 2
    assert "--previous is for PostgreSQL" in refused.err


@pytest.mark.postgres
def test_on_postgresql_the_old_database_says_who_was_forgotten(
    social: Social, shop: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_url: Callable[[], str] = request.getfixturevalue("_postgres_template")
    old, new, alone = new_url(), new_url(), new_url()
    password = make_url(old).password
    monkeypatch.setenv("PGPASSWORD", str(password or ""))
    old, new, alone = (url.replace(f":{password}@", "@") for url in (old, new, alone))
    for url in (new, alone):
        empty(url)
    config = shop / "config.toml"
    written = config.read_text(encoding="utf-8")

    def use(url: str) -> None:
        config.write_text(re.sub(r'(?m)^url = "sqlite:.*"$', f'url = "{url}"', written), encoding="utf-8")

    use(old)
    database, now = Database(old), clock.machine_now()
    account = profile(database, "shop-page", brand="Shop", network="facebook", now=now)
    remembered(database, account, post("Gdzie jest kanarek?", when=now - timedelta(minutes=5)))
    made = social("db", "backup", "--to", "copies", "--json")
    assert made.code == 0, made.err
    copy = made.json["backup"]
    dump = Path(social("db", "backup", "--to", "var/backups", "--json").json["backup"])
    (shop / "var" / "before-the-move.db").touch()
    forgotten = social("author", "forget", "facebook", "anna.n", "--reason", "asked", "--yes", "--json")
    assert {Path(file).name for file in forgotten.json["older_copies"]} == {dump.name, "before-the-move.db"}
    database.close()

    use(new)
    wrong = social("db", "restore", copy, "--previous", "sqlite:///old.db", "--yes")
    done = social("db", "restore", copy, "--previous", old.replace("+psycopg", ""), "--yes")
    use(alone)
    told = social("db", "restore", copy, "--yes")

    assert wrong.code == 2 and "--previous must be PostgreSQL" in wrong.err
    assert done.code == 0, done.err
    assert "1 authors were forgotten since the copy was made; they are forgotten in it too." in done.out
    assert told.code == 0, told.err
    assert "Whoever was forgotten since the copy was made is in it again" in told.out
    for url, texts in ((new, [""]), (alone, ["Gdzie jest kanarek?"])):
        restored = Database(url)
        assert [row.text for row in rows(restored, PostRow)] == texts
        restored.close()


def empty(url: str) -> None:
    database = Database(url)
    with database.write() as session:
        session.execute(text("DROP SCHEMA public CASCADE"))
        session.execute(text("CREATE SCHEMA public"))
    database.close()
