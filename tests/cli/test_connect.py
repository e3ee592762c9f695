"""`social connect NETWORK`: a guide, hidden input, a proof from the network, and then the profile; every wrong turn has a
sentence that says what to do, and no secret is anywhere but in its file."""

from __future__ import annotations

import json
import logging
import os
import pty
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors import registry
from connectors.setup import LANGUAGES, guide
from connectors.simulated.control import customer_posts
from connectors.simulated.facebook import APP_ID, SECOND_PAGE
from connectors.simulated.faults import Fault
from connectors.simulated.library import WorldOptions
from connectors.simulated.server import SimulatedServer
from connectors.simulated.world import World
from social.cli.connecting import words_in
from social.clock import RealClock, machine_now
from social.domain.post import Author, ProfileMode
from social.engine import build
from social.ports import Charge
from social.secrets import configured_parts
from social.settings import load_settings
from social.store import profiles
from social.store.profiles import WantedProfile
from tests.cli.conftest import Done, Social
from tests.cli.processes import environment

CALM = WorldOptions(posts_per_day=0, history_posts_per_day=0, history_days=0, outage="none", scene=False)
HANDLE = "sklep-lawenda.test"
APP_PASSWORD = "canary-abcd-efgh"
APP_SECRET, USER_TOKEN = "canary-app-secret", "user-canary-token"
KEYS = ("canary-key-1", "canary-secret-2", "canary-token-3", "canary-token-secret-4")
BLUESKY = (HANDLE, APP_PASSWORD)
FACEBOOK = (APP_ID, APP_SECRET, USER_TOKEN)

SHOP = """\
# the shop's own words
[database]
url = "sqlite:///var/shop.db"

[triage]
backend = "rules"

[[brands]]
name = "Sklep Żółw"
languages = ["pl"]
timezone = "Europe/Warsaw"

[brands.hours]
mon-fri = ["09:00-17:00"]  # the office

[[profiles]]
name = "zolw-page"
brand = "Sklep Żółw"
connector = "facebook"
mode = "off"  # until somebody has the token
credential = "zolw-page"

# where the networks are
"""


@pytest.fixture
def networks() -> Iterator[SimulatedServer]:
    now = machine_now()
    with SimulatedServer(World(start=now - timedelta(hours=1), options=CALM), RealClock()) as server:
        server.now()
        for kind in registry.kinds():
            customer_posts(server.world, kind, "Gdzie moja\npaczka?\x1b[31m", author="ola_wrona")
        yield server


@pytest.fixture
def shop(tmp_path: Path, networks: SimulatedServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    tables = "".join(f'[connectors.{kind}]\nbase_url = "{networks.base_url(kind)}"\n' for kind in registry.kinds())
    (tmp_path / "config.toml").write_text(SHOP + tables, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def no_secret_but_in_its_file(
    request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """Neither in the log at its finest, nor in any file but those of the credentials."""
    caplog.set_level(logging.DEBUG)
    yield
    assert "canary" not in caplog.text
    for file in tmp_path.rglob("*"):
        if file.is_file() and file.parent.name != "secrets":
            assert b"canary" not in file.read_bytes(), file


def typed(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def quiet(done: Done) -> Done:
    """Whatever came of it, nothing secret was said."""
    assert "canary" not in done.out + done.err
    return done


def nothing_was_left(shop: Path, before: str) -> None:
    assert (shop / "config.toml").read_text(encoding="utf-8") == before
    assert not list((shop / "secrets").glob("*")) if (shop / "secrets").exists() else True
    assert [file.name for file in shop.iterdir() if file.name.startswith(".")] == []


def config_of(shop: Path) -> str:
    return (shop / "config.toml").read_text(encoding="utf-8")


# --- bluesky, because it takes a minute --------------------------------------------------------------------------------


def test_it_connects_an_account_and_keeps_the_file_as_it_was(shop: Path, social: Social) -> None:
    before = config_of(shop)

    done = quiet(social("connect", "bluesky", "--lang", "en", stdin=typed("", *BLUESKY, "y")))

    assert done.code == 0, done.err
    assert config_of(shop).startswith(before.rstrip())
    settings = load_settings(shop / "config.toml", environment={})
    profile = settings.profile("sklep-zolw-bluesky")
    assert profile is not None
    assert (profile.mode, profile.closed_notice, profile.options) == (ProfileMode.DRY_RUN, True, {"handle": HANDLE})
    secret = shop / "secrets" / "sklep-zolw-bluesky.toml"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert configured_parts(profile.credential, directory=shop / "secrets", environment={}) == {
        "app_password": APP_PASSWORD
    }
    assert social("check-config").code == 0


def test_it_shows_who_it_is_what_it_may_do_and_what_is_there_before_it_writes(shop: Path, social: Social) -> None:
    done = quiet(social("connect", "bluesky", "--lang", "en", stdin=typed("", *BLUESKY, "n")))

    assert HANDLE in done.out
    assert "all that is needed (com.atproto.appPass)" in done.out
    assert "does not end by itself" in done.out
    assert "Gdzie moja paczka?" in done.out and "\x1b" not in done.out
    assert "the network bills nothing" in done.out
    assert "Add App Password" in done.err and "hidden while you type" in done.err
    profile = load_settings(shop / "config.toml", environment={}).profile("sklep-zolw-bluesky")
    assert profile is not None and profile.closed_notice is False


def test_it_speaks_polish(shop: Path, social: Social) -> None:
    done = quiet(social("connect", "bluesky", "--lang", "pl", stdin=typed("", *BLUESKY, "t")))

    assert done.code == 0, done.err
    assert "Hasło aplikacji (niewidoczne podczas pisania)" in done.err
    assert "jest wszystko, co potrzebne" in done.out
    assert "# off: tylko czyta i ocenia." in config_of(shop)


def test_a_script_answers_without_a_secret_on_the_command_line(shop: Path, social: Social) -> None:
    arguments = (
        "--option",
        f"handle={HANDLE}",
        "--name",
        "bsky",
        "--no-closed-notice",
        "--secret-from-stdin",
        "--json",
    )

    done = quiet(social("connect", "bluesky", *arguments, stdin=typed(APP_PASSWORD)))

    assert done.code == 0, done.err
    found = done.json
    assert (found["profile"], found["mode"], found["written"], found["missing"]) == ("bsky", "dry-run", True, [])
    assert found["account"]["handle"] == HANDLE
    assert found["latest"][0]["text"].endswith("paczka?\x1b[31m")
    assert found["monthly_cost_usd"] == 0


def test_a_secret_on_the_command_line_is_refused_and_not_repeated(shop: Path, social: Social) -> None:
    before = config_of(shop)

    done = quiet(social("connect", "bluesky", "--option", f"app_password={APP_PASSWORD}"))

    assert done.code == 2
    assert "make a new one" in done.err
    nothing_was_left(shop, before)


def test_it_prints_the_profile_where_the_file_is_not_to_be_touched(shop: Path, social: Social) -> None:
    before = config_of(shop)

    done = quiet(social("connect", "bluesky", "--lang", "en", "--print", stdin=typed("", *BLUESKY, "")))

    assert done.code == 0, done.err
    assert config_of(shop) == before
    assert "[[profiles]]\n" in done.out and f'handle = "{HANDLE}"' in done.out
    assert (shop / "secrets" / "sklep-zolw-bluesky.toml").exists()


def test_on_a_terminal_the_secret_is_not_shown_while_it_is_typed(shop: Path) -> None:
    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-m", "social.cli", "connect", "bluesky", "--lang", "en"],
        cwd=shop, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(), start_new_session=True, close_fds=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""

    def until(words: bytes) -> None:
        nonlocal shown
        while words not in shown:
            shown += os.read(ours, 4096)

    try:
        for words, answer in ((b"[sklep-zolw-bluesky]: ", ""), (b"bsky.social: ", HANDLE), (b"type): ", APP_PASSWORD)):
            until(words)
            os.write(ours, f"{answer}\n".encode())
        until(b"[y]: ")
        os.write(ours, b"\n")
        until(b"go-live")
        assert program.wait(60) == 0
    finally:
        program.kill()
        program.wait()
        os.close(ours)
    assert HANDLE.encode() in shown and b"canary" not in shown


# --- wrong turns -------------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_asked_again_and_nothing_else_is(shop: Path, social: Social) -> None:
    lines = typed("", HANDLE, "wrong-canary", "y", "", APP_PASSWORD, "y")

    done = quiet(social("connect", "bluesky", "--lang", "en", stdin=lines))

    assert done.code == 0, done.err
    assert "The network does not accept this access" in done.err and "make a new one" in done.err
    assert f"[{HANDLE}]" in done.err  # what was right is proposed again


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("wrong-canary", "The network does not accept this access"),
        ("own-canary", "This is the account's own password"),
        ("with a space canary", "copy it again, only the value"),
        ("", "an empty line came from standard input"),
    ],
)
def test_whatever_does_not_work_leaves_nothing_behind(shop: Path, social: Social, password: str, told: str) -> None:
    before = config_of(shop)
    arguments = ("--lang", "en", "--option", f"handle={HANDLE}", "--secret-from-stdin")

    done = quiet(social("connect", "bluesky", *arguments, stdin=typed(password)))

    assert done.code in (2, 4)
    assert told in done.err
    nothing_was_left(shop, before)


def test_a_network_that_is_away_keeps_the_answers(shop: Path, social: Social, networks: SimulatedServer) -> None:
    networks.faults.add(Fault(kind="html", network="bluesky", count=1))

    done = quiet(social("connect", "bluesky", "--lang", "en", stdin=typed("", *BLUESKY, "y", "y")))

    assert done.code == 0, done.err
    assert "The network cannot be reached" in done.err and "nothing that you typed is wrong" in done.err


def test_nobody_who_cannot_be_reached_is_connected(shop: Path, social: Social, networks: SimulatedServer) -> None:
    before = config_of(shop)
    networks.stop()
    arguments = ("--lang", "en", "--option", f"handle={HANDLE}", "--secret-from-stdin")

    done = quiet(social("connect", "bluesky", *arguments, stdin=typed(APP_PASSWORD)))

    assert done.code == 5
    assert "The network cannot be reached" in done.err
    nothing_was_left(shop, before)


def test_a_busy_network_says_until_when(shop: Path, social: Social, networks: SimulatedServer) -> None:
    networks.faults.add(Fault(kind="status", status=429, network="bluesky", count=None, reset_after=600))
    arguments = ("--lang", "en", "--option", f"handle={HANDLE}", "--secret-from-stdin")

    done = quiet(social("connect", "bluesky", *arguments, stdin=typed(APP_PASSWORD)))

    assert done.code == 5
    assert "The network asks to wait until" in done.err


def test_it_tells_before_a_secret_is_typed_that_a_name_is_taken_or_a_file_is_there(shop: Path, social: Social) -> None:
    (shop / "secrets").mkdir()
    (shop / "secrets" / "old.toml").write_text('app_password = "mine"\n')

    done = quiet(
        social("connect", "bluesky", "--lang", "en", stdin=typed("zolw-page", "old", "Ładny", "new", *BLUESKY, ""))
    )

    assert done.code == 0, done.err
    assert "config.toml has a profile zolw-page already" in done.err
    assert "old.toml is there already and is never overwritten" in done.err
    assert "small letters, digits and dashes" in done.err
    assert (shop / "secrets" / "old.toml").read_text() == 'app_password = "mine"\n'
    for name in ("zolw-page", "old"):
        refused = social("connect", "bluesky", "--name", name, "--secret-from-stdin", stdin=typed(APP_PASSWORD))
        assert refused.code == 2


def test_it_tells_before_anything_is_asked_that_the_file_cannot_be_changed(
    shop: Path, social: Social, tmp_path: Path
) -> None:
    long = tmp_path / f"{'c' * 250}.toml"  # its neighbour would have a name that no file system takes
    long.write_text(config_of(shop), encoding="utf-8")

    done = quiet(social("connect", "bluesky", "--lang", "en", "--config", str(long), stdin=typed("", *BLUESKY, "")))

    assert done.code == 3
    assert "cannot be changed" in done.err and "--print" in done.err
    assert "Add App Password" not in done.err


def test_it_needs_a_brand_of_ones_own(tmp_path: Path, social: Social, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    done = social("connect", "bluesky", stdin=typed("", *BLUESKY, ""))

    assert done.code == 3
    assert "Make one with: social init" in done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("myspace",), "Known: bluesky, facebook, twitter."),
        (("bluesky", "--option", "colour=blue"), "the keys are: handle"),
        (("bluesky", "--confirm", "everything"), "'everything' is nothing that this network wants confirmed"),
        (("bluesky", "--brand", "Nobody", "--secret-from-stdin"), "choose one of: Sklep Żółw"),
        (("bluesky", "--secret-from-stdin"), "--secret-from-stdin needs --option handle=..."),
        (("bluesky", "--option", "handle=me@x.com", "--secret-from-stdin"), "must be the whole handle"),
    ],
)
def test_what_cannot_be_used_is_named(shop: Path, social: Social, arguments: tuple[str, ...], told: str) -> None:
    before = config_of(shop)

    done = social("connect", *arguments, "--lang", "en")

    assert done.code in (2, 3)
    assert told in done.err
    nothing_was_left(shop, before)


def test_nobody_who_answers_is_no_reason_to_wait_for_ever(shop: Path, social: Social) -> None:
    done = quiet(social("connect", "bluesky", "--lang", "en", stdin=typed("", HANDLE)))

    assert done.code == 2
    assert "nobody answers" in done.err


# --- facebook ----------------------------------------------------------------------------------------------------------


def test_it_exchanges_the_short_token_and_lets_the_owner_pick_the_page(shop: Path, social: Social) -> None:
    done = quiet(social("connect", "facebook", "--lang", "en", stdin=typed("hurt", *FACEBOOK, "7", "2", "")))

    assert done.code == 0, done.err
    assert "2  Lawenda Hurt" in done.err and "a number from 1 to 2" in done.err
    assert "Inspiracje" not in done.err  # on that one the owner may only look
    profile = load_settings(shop / "config.toml", environment={}).profile("hurt")
    assert profile is not None and profile.options == {"page_id": SECOND_PAGE[0]}
    kept = configured_parts("hurt", directory=shop / "secrets", environment={})
    assert set(kept) == {"app_id", "app_secret", "access_token"}
    assert kept["access_token"].startswith(f"page-{SECOND_PAGE[0]}-") and kept["access_token"] != USER_TOKEN
    assert "90 days after the last sign-in" in done.out
    assert "Advanced Access" in done.err  # what cannot be known before the review


def test_it_completes_a_profile_that_lacks_only_its_access(
    shop: Path, social: Social, networks: SimulatedServer
) -> None:
    before = config_of(shop)
    lines = typed("zolw-page", APP_ID, APP_SECRET, "user-one-page-canary")

    done = quiet(social("connect", "facebook", "--lang", "en", stdin=lines))

    assert done.code == 0, done.err
    assert "only its access is missing" in done.err
    page = networks.world.brand("facebook").number
    mine = 'credential = "zolw-page"\n'
    assert config_of(shop) == before.replace(mine, f'{mine}\n[profiles.options]\npage_id = "{page}"\n', 1)


def test_what_an_existing_profile_lacks_can_be_printed_too(shop: Path, social: Social) -> None:
    before = config_of(shop)
    lines = typed("zolw-page", APP_ID, APP_SECRET, "user-one-page-canary")

    done = quiet(social("connect", "facebook", "--lang", "en", "--print", stdin=lines))

    assert done.code == 0, done.err
    assert config_of(shop) == before
    assert "In the profile zolw-page write:" in done.err
    assert "[profiles.options]\npage_id = " in done.out and "[[profiles]]" not in done.out


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (("99", APP_SECRET, USER_TOKEN), "Compare both with App settings > Basic"),
        ((APP_ID, "wrong-canary", USER_TOKEN), "Compare both with App settings > Basic"),
        ((APP_ID, APP_SECRET, "user-other-app-canary"), "This token belongs to another app"),
        ((APP_ID, APP_SECRET, "user-expired-canary"), "This user token is no longer good"),
        ((APP_ID, APP_SECRET, "page-canary-token"), "This is not a user token"),
        ((APP_ID, APP_SECRET, "user-few-canary"), "The token lacks pages_manage_engagement"),
        ((APP_ID, APP_SECRET, "user-no-page-canary"), "opens no page on which it may moderate"),
    ],
)
def test_every_wrong_token_has_its_own_sentence(
    shop: Path, social: Social, answers: tuple[str, str, str], told: str
) -> None:
    before = config_of(shop)
    app, *secrets = answers
    arguments = ("--lang", "en", "--name", "page", "--option", f"app_id={app}", "--secret-from-stdin")

    done = quiet(social("connect", "facebook", *arguments, stdin=typed(*secrets)))

    assert done.code == 4
    assert told in done.err
    nothing_was_left(shop, before)


def test_a_page_that_the_token_does_not_own_is_refused_with_those_that_it_opens(shop: Path, social: Social) -> None:
    before = config_of(shop)
    arguments = ("--lang", "en", "--name", "page", "--option", f"app_id={APP_ID}", "--account", "31415")

    done = quiet(social("connect", "facebook", *arguments, "--secret-from-stdin", stdin=typed(*FACEBOOK[1:])))

    assert done.code == 4
    assert "does not open 31415" in done.err and SECOND_PAGE[1] in done.err
    nothing_was_left(shop, before)


def test_a_script_that_named_no_page_is_told_which_there_are(shop: Path, social: Social) -> None:
    arguments = ("--lang", "en", "--name", "page", "--option", f"app_id={APP_ID}", "--secret-from-stdin")

    done = quiet(social("connect", "facebook", *arguments, stdin=typed(*FACEBOOK[1:])))

    assert done.code == 4
    assert SECOND_PAGE[0] in done.err and "--account" in done.err


# --- x -----------------------------------------------------------------------------------------------------------------


def test_an_account_on_x_stays_off_until_its_rules_are_confirmed(shop: Path, social: Social) -> None:
    done = quiet(social("connect", "twitter", "--lang", "en", stdin=typed("", *KEYS, "20", "n", "y", "")))

    assert done.code == 0, done.err
    assert "Automated" in done.err and "X's reply rules" in done.err
    assert "stays off" in done.err and "social go-live sklep-zolw-twitter" in done.err
    profile = load_settings(shop / "config.toml", environment={}).profile("sklep-zolw-twitter")
    assert profile is not None and profile.mode is ProfileMode.OFF
    assert profile.options == {"monthly_budget_usd": 20.0, "confirmed": ["reply-rules"]}
    kept = configured_parts(profile.credential, directory=shop / "secrets", environment={})
    assert tuple(kept.values()) == KEYS
    assert "all that is needed (read, write)" in done.out


def test_confirmed_rules_put_it_in_dry_run(shop: Path, social: Social) -> None:
    arguments = ("--secret-from-stdin", "--confirm", "automated-label", "--confirm", "reply-rules", "--json")

    done = quiet(social("connect", "twitter", *arguments, stdin=typed(*KEYS)))

    assert done.code == 0, done.err
    assert done.json["mode"] == "dry-run"
    profile = load_settings(shop / "config.toml", environment={}).profile("sklep-zolw-twitter")
    assert profile is not None and profile.options == {"confirmed": ["automated-label", "reply-rules"]}


def test_it_says_what_a_month_will_cost_by_whose_prices(shop: Path, social: Social, networks: SimulatedServer) -> None:
    for number in range(9):
        customer_posts(networks.world, "twitter", f"pytanie {number}", author="kanarek")

    done = quiet(social("connect", "twitter", "--secret-from-stdin", "--json", stdin=typed(*KEYS)))

    # ten mentions and the shop's own posts (one, or two around the hour at which it posts) in a day, the shortest span that
    # says anything: thirty times that in a month
    own = len(networks.world.brand_posts("twitter"))
    prices = {price["charge"]: price["amount"] for price in done.json["prices"]}
    assert own in (1, 2)
    assert done.json["monthly_cost_usd"] == 30 * ((10 + own) * prices["own-read"] + 10 * prices["reply"]) / 1000
    assert all(price["source"].startswith("https://docs.x.com/") and price["as_of"] for price in done.json["prices"])


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ("readonly-canary", "App permissions: Read and write"),
        ("wrong-canary", "The network does not accept this access"),
    ],
)
def test_keys_that_cannot_write_are_not_taken(shop: Path, social: Social, token: str, told: str) -> None:
    before = config_of(shop)

    done = quiet(
        social("connect", "twitter", "--lang", "en", "--secret-from-stdin", stdin=typed(*KEYS[:2], token, KEYS[3]))
    )

    assert done.code == 4
    assert told in done.err
    nothing_was_left(shop, before)


def test_an_account_without_credits_is_told_to_buy_some(shop: Path, social: Social, networks: SimulatedServer) -> None:
    networks.faults.add(Fault(kind="status", status=402, network="twitter", count=None))

    done = quiet(social("connect", "twitter", "--lang", "en", "--secret-from-stdin", stdin=typed(*KEYS)))

    assert done.code == 5
    assert "X wants credits first" in done.err


def test_alone_it_says_which_networks_there_are_and_how_long_each_takes(
    tmp_path: Path, social: Social, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = social("connect", "--lang", "en")
    assert [line.split()[0] for line in done.out.splitlines()] == list(registry.kinds())
    assert "About a minute." in done.out.splitlines()[0]


# --- renewing an access ------------------------------------------------------------------------------------------------


@pytest.fixture
def connected(shop: Path, social: Social) -> Path:
    """A profile on Bluesky that was connected, and the account that the desk read as."""
    arguments = ("--name", "bsky", "--option", f"handle={HANDLE}", "--secret-from-stdin")
    assert social("connect", "bluesky", *arguments, stdin=typed(APP_PASSWORD)).code == 0
    return shop


def renew(social: Social, password: str, *arguments: str, kind: str = "bluesky", name: str = "bsky") -> Done:
    return quiet(
        social(
            "connect", kind, "--renew", name, "--lang", "en", "--secret-from-stdin", *arguments, stdin=typed(password)
        )
    )


def test_a_new_access_takes_the_place_of_the_old_one_and_nothing_else_changes(connected: Path, social: Social) -> None:
    before = config_of(connected)
    other = "canary-mnop-qrst"

    done = quiet(social("connect", "bluesky", "--renew", "bsky", "--lang", "en", stdin=typed(other)))

    assert done.code == 0, done.err
    assert "Access of bsky renewed" in done.err and HANDLE in done.out
    assert config_of(connected) == before
    secret = connected / "secrets" / "bsky.toml"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert configured_parts("bsky", directory=secret.parent, environment={}) == {"app_password": other}
    assert [file.name for file in secret.parent.iterdir()] == ["bsky.toml"]


def test_the_profile_says_by_itself_on_which_network_it_is(connected: Path, social: Social) -> None:
    done = quiet(social("connect", "--renew", "bsky", "--lang", "pl", stdin=typed("canary-mnop-qrst")))

    assert done.code == 0, done.err
    assert "Dostęp profilu bsky odnowiony" in done.err


def test_a_name_that_is_connected_already_leads_to_its_renewal(connected: Path, social: Social) -> None:
    arguments = ("--lang", "en", "--name", "bsky", "--secret-from-stdin")

    done = social("connect", "bluesky", *arguments, stdin=typed(APP_PASSWORD))

    assert done.code == 2
    assert "connect bluesky --renew bsky" in done.err


def test_an_access_that_does_not_work_leaves_the_old_one(connected: Path, social: Social) -> None:
    before = (connected / "secrets" / "bsky.toml").read_bytes()

    assert renew(social, "wrong-canary").code == 4

    assert (connected / "secrets" / "bsky.toml").read_bytes() == before
    assert [file.name for file in (connected / "secrets").iterdir()] == ["bsky.toml"]


def test_another_account_is_not_taken_for_the_one_that_the_desk_reads(connected: Path, social: Social) -> None:
    before = (connected / "secrets" / "bsky.toml").read_bytes()
    settings = load_settings(connected / "config.toml", environment={})
    database = build.open_database(settings)
    try:
        build.prepare_database(database)
        with database.write() as session:
            wanted = WantedProfile(name="bsky", brand="Sklep Żółw", network="bluesky", mode=ProfileMode.DRY_RUN)
            profiles.synchronise(session, [wanted], now=machine_now())
            row = profiles.by_name(session, "bsky")
            assert row is not None
            profiles.know_account(session, row.id, Author(native_id="did:plc:somebodyelse"))
    finally:
        database.close()

    done = renew(social, "canary-mnop-qrst")

    assert done.code == 4
    assert "the profile bsky is the account did:plc:somebodyelse" in done.err and HANDLE in done.err
    assert (connected / "secrets" / "bsky.toml").read_bytes() == before


def test_a_profile_without_any_access_is_completed_by_a_renewal(
    shop: Path, social: Social, networks: SimulatedServer
) -> None:
    arguments = ("--lang", "en", "--renew", "zolw-page")

    done = quiet(social("connect", "facebook", *arguments, stdin=typed(APP_ID, APP_SECRET, "user-one-page-canary")))

    assert done.code == 0, done.err
    assert "only its access is missing" in done.err
    assert f'page_id = "{networks.world.brand("facebook").number}"' in config_of(shop)


@pytest.mark.parametrize(
    ("kind", "name", "arguments", "told"),
    [
        ("bluesky", "nobody", (), "config.toml has no profile 'nobody'; there are: bsky"),
        ("twitter", "bsky", (), "connect bluesky --renew bsky"),
        ("bluesky", "bsky", ("--name", "other"), "--name changes the profile, --renew only its access"),
        ("bluesky", "bsky", ("--no-closed-notice",), "--closed-notice changes the profile"),
        ("bluesky", "bsky", ("--option", "handle=other.test"), "--option changes the profile"),
    ],
)
def test_what_cannot_be_renewed_is_named(
    connected: Path, social: Social, kind: str, name: str, arguments: tuple[str, ...], told: str
) -> None:
    done = renew(social, APP_PASSWORD, *arguments, kind=kind, name=name)

    assert done.code == 2
    assert told in done.err


def test_an_access_from_the_environment_is_not_renewed_in_a_file_that_nobody_reads(
    connected: Path, social: Social, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYZUR_SECRET_BSKY__APP_PASSWORD", APP_PASSWORD)

    done = renew(social, "canary-mnop-qrst")

    assert done.code == 3
    assert "comes from the environment" in done.err


# --- the guides --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", registry.kinds())
def test_every_network_has_a_guide_in_both_languages_with_all_its_words(kind: str) -> None:
    connector = registry.load(kind)
    english, polish = (guide(connector, language) for language in ("en", "pl"))

    for found in (english, polish):
        assert found.steps and found.takes
        assert set(found.ask) == {ask.name for ask in connector.setup.asks}
        assert set(found.confirm) == set(connector.setup.confirmations)
    assert set(english.problems) == set(polish.problems)
    assert set(english.notes) == set(polish.notes)
    assert bool(english.review) == bool(polish.review)
    assert len(english.steps) == len(polish.steps)


def test_what_is_said_whatever_the_network_is_said_in_both_languages() -> None:
    def keys(language: str) -> dict[str, Any]:
        return {table: sorted(entries) for table, entries in words_in(language).items()}

    assert [keys(language) for language in LANGUAGES] == [keys("en")] * len(LANGUAGES)
    holes = [json.dumps(words_in(language), sort_keys=True).count("{") for language in LANGUAGES]
    assert len(set(holes)) == 1


@pytest.mark.parametrize("kind", registry.kinds())
def test_prices_have_a_source_and_a_day_or_there_are_none(kind: str) -> None:
    prices = registry.load(kind).prices
    assert all(price.amount > 0 and price.source and price.as_of for price in prices)
    assert not prices or {Charge.OWN_READ, Charge.REPLY} <= {price.charge for price in prices}
