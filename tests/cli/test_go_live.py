"""`social go-live PROFILE`: what would have been said to whom, the checks, a question, and one line of config.toml."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from connectors.simulated.facebook import APP_ID
from connectors.simulated.library import WorldOptions
from connectors.simulated.server import SimulatedServer
from connectors.simulated.world import World
from social import clock
from social.clock import RealClock, machine_now
from social.domain.post import Author, ProfileMode
from social.domain.reply import ReplyState
from social.settings import load_settings
from social.store import control, outbox, schema
from social.store.mapping import Profile
from social.store.session import Database
from social.store.tables import ConversationRow, ReplyRow
from tests.cast import ANNA, PIOTR
from tests.cli.conftest import Social
from tests.engine.looking import rows
from tests.factories import case, planned, post, profile, remembered

CALM = WorldOptions(posts_per_day=0, history_posts_per_day=0, history_days=0, outage="none", scene=False)

SHOP = """\
[database]
url = "sqlite:///var/shop.db"

[triage]
backend = "rules"

[[brands]]
name = "Shop"
languages = ["pl", "en"]
timezone = "Europe/Warsaw"
[brands.hours]
mon-fri = ["09:00-17:00"]

[[profiles]]
name = "shop-page"
brand = "Shop"
connector = "facebook"
# what the robot does
mode = "dry-run"  # since Monday
credential = "shop-page"

[[profiles]]
name = "shop-x"
brand = "Shop"
connector = "twitter"
mode = "off"
closed_notice = false
credential = "shop-x"

# the networks
"""


@dataclass(frozen=True, slots=True)
class Desk:
    """A shop whose page rehearses."""

    folder: Path
    database: Database
    page: Profile
    now: datetime

    @property
    def config(self) -> str:
        return (self.folder / "config.toml").read_text(encoding="utf-8")

    def credential(self, name: str, **parts: str) -> None:
        file = self.folder / "secrets" / f"{name}.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(f'{part} = "{value}"\n' for part, value in parts.items()), encoding="utf-8")
        file.chmod(0o600)

    def would_have_sent(self, text: str, *, by: Author = ANNA, ago: timedelta = timedelta(hours=2)) -> int:
        """The robot's words that were due and were not sent; the reply."""
        when = self.now - ago
        asked = remembered(self.database, self.page, post(text, when=when, by=by))
        case(self.database, asked)
        reply = planned(self.database, asked, text="Dziękujemy za wiadomość.")
        with self.database.write() as session:
            outbox.change_state(session, reply, ReplyState.PLANNED, ReplyState.WOULD_HAVE_SENT)
        return reply

    def answered(self, reply: int) -> None:
        with self.database.write() as session:
            row = session.get(ReplyRow, reply)
            assert row is not None
            conversation = session.get(ConversationRow, row.conversation_id)
            assert conversation is not None
            conversation.person_answered_at = self.now
            session.add(conversation)


@pytest.fixture
def networks() -> Iterator[SimulatedServer]:
    now = machine_now()
    with SimulatedServer(World(start=now - timedelta(hours=1), options=CALM), RealClock()) as server:
        server.now()
        yield server


@pytest.fixture
def desk(
    tmp_path: Path, networks: SimulatedServer, monkeypatch: pytest.MonkeyPatch, own_environment: None
) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    kinds = ("facebook", "twitter")
    tables = "".join(f'[connectors.{kind}]\nbase_url = "{networks.base_url(kind)}"\n' for kind in kinds)
    (tmp_path / "config.toml").write_text(SHOP + tables, encoding="utf-8")
    database = Database(f"sqlite:///{tmp_path}/var/shop.db")
    schema.upgrade(database, now=clock.machine_now())
    now = machine_now()
    profile(database, "shop-x", brand="Shop", network="twitter", mode=ProfileMode.OFF)
    page = profile(
        database, "shop-page", brand="Shop", network="facebook", mode=ProfileMode.DRY_RUN, now=now - timedelta(days=3)
    )
    made = Desk(tmp_path, database, page, now)
    made.credential("shop-page", access_token="page-canary-1", app_secret="canary-secret", app_id=APP_ID)
    keys = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
    made.credential("shop-x", **{key: f"canary-{key}" for key in keys})
    yield made
    database.close()


def test_it_shows_what_would_have_been_said_to_whom_and_who_got_no_answer(desk: Desk, social: Social) -> None:
    heard = desk.would_have_sent("Gdzie jest\nmoja paczka?\x1b[2J", ago=timedelta(hours=3))
    desk.answered(heard)
    desk.would_have_sent("Zamówienie przyszło puste!", by=PIOTR)
    desk.would_have_sent("Dawne pytanie", by=PIOTR, ago=timedelta(days=20))

    done = social("go-live", "shop-page", stdin="n\n")

    assert done.code == 0, done.err
    assert "Gdzie jest moja paczka?" in done.out and "\x1b" not in done.out
    assert "-> Dziękujemy za wiadomość." in done.out
    assert "@anna" in done.out and "a person answered" in done.out and "nobody answered" in done.out
    assert "Dawne pytanie" not in done.out
    assert "In dry-run since" in done.out
    assert "2 text(s) would have been sent" in done.out and "1 customer(s) of these got no answer at all" in done.out
    assert "ok    the credential works: Facebook" in done.out
    assert "ONE automatic text each, publicly" in done.err
    assert "Nothing was changed." in done.out and 'mode = "dry-run"' in desk.config
    assert "canary" not in done.out + done.err


def test_a_yes_changes_one_line_and_says_what_happens_outside_hours(desk: Desk, social: Social) -> None:
    before = desk.config

    done = social("go-live", "shop-page", stdin="y\ny\n")

    assert done.code == 0, done.err
    live = '# what the robot does\nmode = "acknowledge"  # since Monday\nclosed_notice = true\n'
    assert desk.config == before.replace('# what the robot does\nmode = "dry-run"  # since Monday\n', live)
    found = load_settings(desk.folder / "config.toml", environment={}).profile("shop-page")
    assert found is not None and (found.mode, found.closed_notice) == (ProfileMode.ACKNOWLEDGE, True)
    assert "It holds from the next start on: social run" in done.out
    again = social("go-live", "shop-page", "--yes")
    assert again.code == 8 and "acknowledge already" in again.err


def test_it_says_that_a_running_desk_must_be_started_again(desk: Desk, social: Social) -> None:
    with desk.database.write() as session:
        now = clock.machine_now()
        control.beat(session, name="shop:17", parts="respond", started_at=now, at=now, model=None)

    done = social("go-live", "shop-page", "--yes", "--no-closed-notice")

    assert done.code == 0, done.err
    assert "The running desk (shop:17) still works by the old mode: start it again." in done.out
    assert "closed_notice = false" in desk.config


def test_it_touches_no_reply(desk: Desk, social: Social) -> None:
    desk.would_have_sent("Gdzie jest moja paczka?")

    assert social("go-live", "shop-page", "--yes").code == 0

    assert [row.state for row in rows(desk.database, ReplyRow)] == ["would-have-sent"]


def test_a_script_that_only_asks_changes_nothing(desk: Desk, social: Social) -> None:
    desk.would_have_sent("Gdzie jest moja paczka?")
    before = desk.config

    done = social("go-live", "shop-page", "--json")

    assert done.code == 0, done.err
    found = done.json
    assert (found["mode"], found["to"], found["changed"], found["unanswered"]) == ("dry-run", "acknowledge", False, 1)
    assert [item["excerpt"] for item in found["rehearsed"]] == ["Gdzie jest moja paczka?"]
    assert {check["level"] for check in found["checks"]} >= {"ok"}
    assert desk.config == before


@pytest.mark.parametrize(
    ("parts", "told", "code"),
    [
        ({"access_token": "expired-canary", "app_secret": "canary-secret"}, "the token has expired", 4),
        (
            {"access_token": "page-1-user-few-canary", "app_secret": "canary-secret", "app_id": APP_ID},
            "lacks pages_manage",
            4,
        ),
        ({"access_token": "page-canary"}, "has no app_secret", 3),
    ],
)
def test_nothing_goes_live_with_a_credential_that_does_not_work(
    desk: Desk, social: Social, parts: dict[str, str], told: str, code: int
) -> None:
    desk.credential("shop-page", **parts)
    before = desk.config

    done = social("go-live", "shop-page", "--yes")

    assert done.code == code
    assert "Mend this first" in done.err and told in done.err
    assert desk.config == before and "canary" not in done.out + done.err


def test_nothing_goes_live_while_the_network_is_away(desk: Desk, social: Social, networks: SimulatedServer) -> None:
    networks.stop()

    done = social("go-live", "shop-page", "--yes")

    assert done.code == 5
    assert "Mend this first" in done.err


def test_a_profile_that_is_off_rehearses_first_and_only_under_the_networks_rules(desk: Desk, social: Social) -> None:
    before = desk.config

    refused = social("go-live", "shop-x", "--yes")
    assert refused.code == 2
    assert "Automated" in refused.err and "--confirm automated-label" in refused.err
    assert "note  not confirmed yet: automated-label" in refused.out
    half = social("go-live", "shop-x", stdin="y\nn\n")
    assert half.code == 0 and "The network wants that first." in half.err
    assert desk.config == before

    done = social("go-live", "shop-x", stdin="y\ny\ny\n")

    assert done.code == 0, done.err
    found = load_settings(desk.folder / "config.toml", environment={}).profile("shop-x")
    assert found is not None and found.mode is ProfileMode.DRY_RUN
    assert found.options == {"confirmed": ["automated-label", "reply-rules"]}
    assert social("go-live", "shop-x", "--yes").code == 0
    found = load_settings(desk.folder / "config.toml", environment={}).profile("shop-x")
    assert found is not None and (found.mode, found.closed_notice) == (ProfileMode.ACKNOWLEDGE, False)


def test_it_names_the_profiles_that_there_are(desk: Desk, social: Social) -> None:
    done = social("go-live", "shop-pgae")

    assert done.code == 2
    assert "Known: shop-page, shop-x." in done.err


def test_it_never_makes_a_database(tmp_path: Path, social: Social, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(SHOP, encoding="utf-8")

    done = social("go-live", "shop-page", "--yes")

    assert done.code != 0 and "social run" in done.err
    assert not (tmp_path / "var").exists()
