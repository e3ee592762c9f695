"""What is told holds no secret, whoever tells it and however it is written; and an event is one line."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from social import redaction
from social.cli import logs
from social.clock import SteppedClock
from social.domain.errors import DyzurError
from social.redaction import MASK, one_line, redact, remember, remember_passing
from social.store.session import Database
from tests.cast import at

CANARY = 'canary"zażółć\\&=/0123456789'
TREE = Path(__file__).parents[2]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a handler of somebody else shows, with nothing but Python's own formatter."""
    redaction.guard_logging()
    shown = io.StringIO()
    handler = logging.StreamHandler(shown)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield shown
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize(
    "written",
    [CANARY, quote(CANARY, safe=""), json.dumps(CANARY), json.dumps(CANARY, ensure_ascii=False), repr(CANARY)],
)
def test_a_remembered_value_is_masked_as_it_is_written(written: str) -> None:
    remember([CANARY])
    shown = redact(f"before {written} after")
    assert MASK in shown
    assert "0123456789" not in shown and "canary" not in shown
    assert shown.startswith("before ") and shown.endswith(" after")


@pytest.mark.parametrize(
    "address",
    [
        "tgram://123456789:AAcanary0token0AAcanary/987654321",
        "slack://xoxb-canary0-1234567890/AAcanary0token0AAcanary/#general",
        "mailtos://user:AAcanary0token0AAcanary@mail.example.com",
        "ntfys://AAcanary0token0AAcanary@ntfy.example.com/topic",
    ],
)
def test_of_a_services_address_the_token_alone_is_a_secret_too(address: str) -> None:
    """A library tells the web address that it makes of it."""
    remember([address])
    shown = redact("POST https://service.invalid/botAAcanary0token0AAcanary/sendMessage")
    assert "canary0token0" not in shown
    assert "service.invalid" in shown


@pytest.mark.parametrize(
    "text",
    [
        "GET /me?fields=id&access_token=canary0123&limit=3",
        "appsecret_proof=canary0123",
        "fb_exchange_token=canary0123",
        "{'Authorization': 'Bearer canary0123'}",
        'Authorization: OAuth oauth_consumer_key="canary0123", oauth_signature="canary0123"',
        "Proxy-Authorization: canary0123",
        "Cookie: dyzur_session=canary0123; other=canary0123",
        "dyzur_session=canary0123",
        '{"accessJwt": "canary0123", "refreshJwt":"canary0123"}',
        "postgresql+psycopg://user:canary0123@host/name",
        "connection to postgresql://user:canary0123@host:5432/name failed",
        "http://127.0.0.1:8710/welcome/canary0123canary0123canary0123",
        "the token eyJhbGcanary0123.eyJzdWIcanary0123.c2lnbmcanary0123 is old",
        "the token EAAcanary0123canary0123canary0123 is malformed",
        "https://api.telegram.org/bot123456789:canary0123canary0123canary0123abcd/getMe",
        "password = canary0123",
    ],
)
def test_what_looks_like_a_secret_is_masked_without_being_known(text: str) -> None:
    shown = redact(text)
    assert MASK in shown
    assert "canary" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "the password was changed, bearer of news, basic facts",
        'Add a line for each: access_token = "..."',
        "12:30:45 polled fikcja-net: 12 posts, 3 new",
        "https://desk.example.com/case/12?next=/queue and http://127.0.0.1:8710/queue",
        "Shop <anna@example.com> wrote at 10:00",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redact(text) == text


def test_sessions_are_forgotten_in_their_order_and_credentials_never() -> None:
    remember(["a-lasting-credential"])
    for number in range(2_000):
        remember_passing(f"passing-session-{number:05}")
    assert redact("a-lasting-credential") == MASK
    assert redact("passing-session-01999") == MASK
    assert redact("passing-session-00000") == "passing-session-00000"


@given(st.text())
def test_any_text_can_be_told(text: str) -> None:
    assert isinstance(redact(text), str)
    line = one_line(text)
    assert line.isprintable()
    assert one_line("ok") == "ok"


def test_a_long_text_from_outside_is_told_in_steps_that_grow_with_it() -> None:
    """Each of these once took a minute with an expression that looks again from every letter."""
    for piece in ("a", "eyJ", "EAA", "password", "://a:", "a-", "bearer ", "1", "://", "password    ", "authorization"):
        costs = []
        for length in (10_000, 100_000):
            begun = time.process_time()
            redact(piece * (length // len(piece)))
            costs.append(time.process_time() - begun)
        assert costs[1] < 40 * costs[0] + 0.5, piece  # a hundred times, where every letter is a new beginning


# --- every record, every handler ---------------------------------------------------------------------------------------


def raises(words: str) -> None:
    raise ValueError(words)


def chained() -> None:
    try:
        raises(f"the first says {CANARY}")
    except ValueError:
        raise DyzurError(f"the second says {CANARY}") from ExceptionGroup("many", [ValueError(CANARY)])


def test_a_handler_of_somebody_else_shows_no_secret(log: io.StringIO) -> None:
    remember([CANARY])
    library = logging.getLogger("some.library")
    library.debug("headers %s", {"Authorization": f"Bearer {CANARY}"})
    library.warning(CANARY)
    library.warning("%(token)s", {"token": CANARY})
    library.error("badly written %d", CANARY)
    library.error("with its place", stack_info=True, extra={"note": "harmless"})
    try:
        chained()
    except DyzurError:
        library.exception("it broke: %s", CANARY)
    shown = log.getvalue()
    assert "0123456789" not in shown
    assert "DyzurError" in shown and "ExceptionGroup" in shown and "ValueError" in shown
    assert "in chained" in shown


def test_a_secret_that_is_renewed_while_it_runs_is_masked_from_then_on(log: io.StringIO) -> None:
    remember(["the-renewed-token"])
    logging.getLogger("some.library").warning("the-renewed-token")
    assert log.getvalue() == f"{MASK}\n"


def test_a_traceback_tells_the_place_and_not_what_a_customer_wrote(log: io.StringIO) -> None:
    logging.getLogger().setLevel(logging.INFO)
    for words, kind in (("Moja paczka!", ValueError), ("Moja paczka!", KeyError)):
        try:
            raise kind(words)
        except kind:
            logging.getLogger("social.test").exception("a step broke")
    try:
        None.text  # type: ignore[attr-defined] # noqa: B018
    except AttributeError:
        logging.getLogger("social.test").exception("a mistake of ours")
    shown = log.getvalue()
    assert "test_redaction.py" in shown and "ValueError" in shown and "KeyError" in shown
    # the line of the program stands in the trace, the words that it was given do not
    assert "Moja" not in shown
    assert "'NoneType' object has no attribute 'text'" in shown

    logging.getLogger().setLevel(logging.DEBUG)
    try:
        raises("said at debug")
    except ValueError:
        logging.getLogger("social.test").exception("a step broke")
    assert "ValueError: said at debug" in log.getvalue()


def test_an_error_of_the_database_does_not_say_what_was_to_be_written(store_database: Database) -> None:
    with pytest.raises(DBAPIError) as caught, store_database.write() as session:
        session.execute(text("INSERT INTO brand (id, name) VALUES (1, :words), (1, :words)"), {"words": "kanarek"})
    assert "INSERT INTO brand" in str(caught.value)
    assert "kanarek" not in str(caught.value).partition("[SQL")[2]
    assert "hidden" in str(caught.value)


# --- one event, one line -----------------------------------------------------------------------------------------------

FORGERIES = [
    "Anna\r\nFri 10:00:00  sent fikcja-net #1",
    "Anna\nerror: all is lost",
    "red \x1b[31mtext\x1b[0m and a bell \x07",
    "turned \u202etxet\u202c around",
    "lines \u2028 and \u2029 and \x85 and \x0b\x0c",
    "nothing\x00here, half \ud83d a pair",
]


@pytest.mark.parametrize("words", FORGERIES)
def test_our_log_says_one_line_an_event(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        logs.set_up(clock=SteppedClock(at("2026-11-20 10:00")), zone="Europe/Warsaw", level="debug")
        logging.getLogger("social.test").warning("polled %s", words)
        try:
            raises(words)
        except ValueError:
            logging.getLogger("social.test").exception("broke for %s", words)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    lines = capsys.readouterr().err.rstrip("\n").split("\n")
    events = [line for line in lines if not line.startswith(logs.UNDER)]
    assert len(events) == 2
    assert all(line.startswith("Fri 10:00:00  ") for line in events)
    assert all(line.isprintable() for line in lines)


# --- what nobody caught ------------------------------------------------------------------------------------------------

_CRASHES = """
import sys, threading, logging
from social.cli import logs
from social.redaction import remember
secret = "".join(["canary", "-0123456789"])
remember([secret])
logs.guard_process(debug=True)
class Told:
    def __del__(self):
        raise ValueError(f"from a finaliser {secret}")
x = Told(); del x
def broken():
    raise RuntimeError(f"in a thread {secret}")
thread = threading.Thread(target=broken, name="poll-1"); thread.start(); thread.join()
logging.getLogger("quiet").error("nobody set the log up %s", secret)
def inner():
    local = secret
    raise LookupError(f"password={local}\\r\\n\\x1b[31m and {[secret]!r}")
try:
    inner()
except LookupError as error:
    raise KeyError(secret) from error
"""


def test_a_crash_tells_where_and_no_secret() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CRASHES],
        env={"PYTHONPATH": str(TREE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert "canary" not in done.stderr + done.stdout
    assert "\x1b" not in done.stderr
    for told in ("poll-1 broke.", "RuntimeError: in a thread ***", "from a finaliser ***", "LookupError", "KeyError"):
        assert told in done.stderr
