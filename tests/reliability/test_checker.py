"""The history checker finds nothing in a good run, and finds what is wrong in every bad one."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from social.store.session import Database
from social.store.tables import AuthorRow, ReplyRow
from tests.cast import at
from tests.engine.looking import eventually, rows
from tests.reliability.checker import Run, labels_differ, violations
from tests.reliability.customers import SHARES, STOPS, URGENT, WRITTEN_BY_A_CUSTOMER, everything_ended
from tests.reliability.daemons import Nursery, Place, a_place
from tests.reliability.logs import PIECE, leaks
from tests.reliability.nursery import SureRules
from tests.reliability.public import PublicHistory, PublicPost

QUESTIONS = 6


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run that went well, in files: its database, its log, what the public could read."""

    database: Path
    log: Path
    run: Run


@pytest.fixture(scope="module")
def finished(_migrated_file: Path, nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    folder = tmp_path_factory.mktemp("good-run")
    file = folder / "desk.db"
    shutil.copyfile(_migrated_file, file)
    database = Database(f"sqlite:///{file}")
    with a_place(folder, nursery, database, only="facebook") as place:
        daemon = place.start()
        place.first_polls()
        for number in range(QUESTIONS):
            place.post(
                network="facebook", text=f"Gdzie jest moja paczka numer {10_000 + number}?", author=f"k-{number}"
            )
        danger = place.post(network="facebook", text=SHARES["danger"][1].format(n=10_100), author="k-danger")
        place.post(network="facebook", text=SHARES["stop"][1].format(n=10_200), author="k-stop")
        place.post(network="facebook", text="Dziękuję!", author="k-praise")
        eventually(lambda: sent(place) == QUESTIONS, what="the acknowledgements")
        eventually(lambda: has_heard_a_stop(place), what="the note of the stop")
        # what comes under a case that waits, and after a stop
        again = SHARES["danger"][1].format(n=10_101)
        place.post(network="facebook", text=again, author="k-danger", parent=danger["sequence"])
        place.post(network="facebook", text="Gdzie jest moja paczka numer 10201?", author="k-stop")
        since = place.now
        eventually(lambda: everything_ended(place, since), what="the end of everything")
        daemon.kill()
        public = PublicHistory.of(place.networks)
        copy = folder / "copy.db"
        connection = sqlite3.connect(file)
        connection.execute("VACUUM INTO ?", [str(copy)])
        connection.close()
        run = Run(
            public=public,
            database=database,
            logs=[place.log],
            secrets=place.secrets,
            over_at=since,
            urgent=URGENT,
            stops=STOPS,
        )
        yield Finished(database=copy, log=place.log, run=run)
    database.close()


def sent(place: Place) -> int:
    return sum(reply.state == "sent" for reply in rows(place.database, ReplyRow))


def has_heard_a_stop(place: Place) -> bool:
    return any(author.opted_out_at is not None for author in rows(place.database, AuthorRow))


@pytest.fixture
def damaged(finished: Finished, tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """``damaged("UPDATE ...", public=...)``: the good run after something went wrong in its database, or elsewhere."""
    opened: list[Database] = []

    def damage(*statements: str, **changes: object) -> Run:
        file = tmp_path / f"damaged-{len(opened)}.db"
        shutil.copyfile(finished.database, file)
        with sqlite3.connect(file) as connection:
            for statement in statements:
                assert connection.execute(statement).rowcount > 0, f"damages nothing: {statement}"
        connection.close()
        opened.append(Database(f"sqlite:///{file}"))
        return replace(finished.run, database=opened[-1], **changes)  # type: ignore[arg-type]

    yield damage
    for database in opened:
        database.close()


def told(run: Run, invariant: str, *words: str) -> None:
    """One of the lines is about ``invariant`` and says these ``words``."""
    found = violations(run)
    assert any(line.startswith(f"{invariant}  ") and all(word in line for word in words) for line in found), found


def about(run: Run, invariant: str) -> list[str]:
    return [line for line in violations(run) if line.startswith(f"{invariant}  ")]


def with_posts(public: PublicHistory, *posts: PublicPost) -> PublicHistory:
    """The history with these beside, or instead of, its own."""
    return replace(public, posts={**public.posts, **{post.sequence: post for post in posts}})


def test_it_finds_nothing_in_a_good_run(finished: Finished) -> None:
    assert len(finished.run.public.said) == QUESTIONS
    assert len(finished.run.secrets) >= 2
    assert violations(finished.run) == []
    assert labels_differ(finished.run.database, SureRules(), only=WRITTEN_BY_A_CUSTOMER) == []


# --- the naive sender --------------------------------------------------------------------------------------------------


def test_it_catches_a_sender_that_publishes_first_and_writes_it_down_then(
    nursery: Nursery, database: Database, tmp_path: Path
) -> None:
    with a_place(tmp_path, nursery, database, only="facebook") as place:
        place.start(naive=True)
        place.first_polls()
        place.daemons[-1].kill()
        for number in range(9):
            place.post(
                network="facebook", text=f"Gdzie jest moja paczka numer {10_000 + number}?", author=f"k-{number}"
            )
        for _ in range(3):
            killed = place.start("deliver.after-wire=kill@2", naive=True)
            eventually(lambda killed=killed: not killed.lives, what="the death between wire and database")
        place.start(naive=True)
        eventually(lambda: sent(place) == 9, what="the end")
        place.daemons[-1].kill()
        public = PublicHistory.of(place.networks)
        found = violations(Run(public=public, database=database))
    assert len(public.said) == 9 + 3  # one customer a kill has read the same twice
    assert sum("2 times" in line and line.startswith("I2") for line in found) == 3, found


# --- seeded violations, one way after the other -------------------------------------------------------------------------

A_QUESTION = "(SELECT id FROM post WHERE text LIKE '%10002%')"
A_REPLY = f"(SELECT id FROM reply WHERE post_id = {A_QUESTION})"
PRAISE = "(SELECT id FROM post WHERE text LIKE '%Dziękuję!')"
DANGER = "(SELECT id FROM post WHERE text LIKE '%10100%')"
DANGER_AGAIN = "(SELECT id FROM post WHERE text LIKE '%10101%')"
FORGET_PRAISE = (
    f"DELETE FROM assessment WHERE post_id = {PRAISE}",
    f"DELETE FROM decision WHERE post_id = {PRAISE}",
    f"DELETE FROM post WHERE id = {PRAISE}",
)
TELL_AGAIN = (
    "INSERT INTO event (at, actor, verb, subject_kind, subject_id) "
    f"SELECT at, actor, verb, subject_kind, subject_id FROM event WHERE verb = 'sent' AND subject_id = {A_REPLY}"
)


def test_i1_it_misses_a_post_that_was_never_stored(damaged: Callable[..., Run]) -> None:
    told(damaged(*FORGET_PRAISE), "I1", "facebook post", "is not in the database")


def test_i1_it_excuses_only_what_was_deleted_before_it_could_be_read(
    finished: Finished, damaged: Callable[..., Run]
) -> None:
    public = finished.run.public
    post = next(post for post in public.of_customers if "Dziękuję" in post.text)
    gone = post.created_at + timedelta(minutes=30)
    for looks, said in ((2, False), (3, True)):
        times = [post.created_at + timedelta(minutes=9 * number) for number in range(1, looks + 1)]
        deleted = replace(
            public,
            posts={**public.posts, post.sequence: replace(post, deleted_at=gone)},
            looks={post.network: [*times, gone + timedelta(minutes=1)]},
        )
        found = violations(damaged(*FORGET_PRAISE, public=deleted))
        assert any(line.startswith("I1  ") and "is not in the database" in line for line in found) is said, found


def test_i1_it_sees_a_post_that_is_stored_twice(damaged: Callable[..., Run]) -> None:
    columns = "brand_id, conversation_id, author_id, network, kind, thread_root, text, created_at, received_at"
    flags = "revision, revision_number, summoned, private, ours, history, after_gap, state, attempts, outcome, reason"
    twice = (
        f"INSERT INTO post (profile_id, native_id, {columns}, {flags}) "
        f"SELECT 99, native_id, {columns}, {flags} FROM post WHERE id = {PRAISE}"
    )
    told(damaged(twice), "I1", "is stored 2 times")


def test_i1_it_sees_a_post_that_nobody_wrote(damaged: Callable[..., Run]) -> None:
    told(damaged(f"UPDATE post SET native_id = 'invented' WHERE id = {PRAISE}"), "I1", "invented was never published")


def test_i2_it_sees_a_second_public_reply(damaged: Callable[..., Run], finished: Finished) -> None:
    again = repeated(finished)
    public = with_posts(finished.run.public, again)
    told(damaged(public=public), "I2", f"under post {again.parent}", "2 times")
    told(damaged(public=public), "I2", f"post {again.sequence}", "no reply of the database accounts for it")


def test_i2_it_sees_two_automatic_texts_in_a_day_in_other_words(
    damaged: Callable[..., Run], finished: Finished
) -> None:
    again = replace(repeated(finished), text="To automatyczna odpowiedź: odpiszemy.")
    public = with_posts(finished.run.public, again)
    told(damaged(public=public), "I2", f"post {again.sequence}", "second automatic text in a day")


def test_i2_it_allows_a_hand_over_as_a_second_text_but_not_on_x(
    damaged: Callable[..., Run], finished: Finished
) -> None:
    again = replace(repeated(finished), text="To automatyczna odpowiedź: przekazujemy sprawę zespołowi.")
    columns = (
        "state, attempts, brand_id, profile_id, conversation_id, post_id, author_id, sent_by, language, variant, facts"
    )
    times = "priority, created_at, intended_at, sent_at"
    written = (
        f"INSERT INTO reply ({columns}, {times}, kind, text, key, external_id) "
        f"SELECT {columns}, {times}, 'hand-over', '{again.text}', 'second', 'second' "
        f"FROM reply WHERE external_id = '{finished.run.public.said[0].native_id}'"
    )
    noted = (
        "INSERT INTO event (at, actor, verb, subject_kind, subject_id) "
        "SELECT sent_at, 'robot', 'sent', 'reply', id FROM reply WHERE key = 'second'"
    )
    public = with_posts(finished.run.public, again)
    assert violations(damaged(written, noted, public=public)) == []

    on_x = with_posts(public, *(replace(post, network="twitter") for post in public.posts.values()))
    renamed = [f"UPDATE {table} SET network = 'twitter'" for table in ("post", "author", "profile")]
    (found,) = violations(damaged(written, noted, *renamed, public=on_x))
    assert found.startswith("I2  twitter post 9999: is a second automatic text where one is allowed")


def repeated(finished: Finished) -> PublicPost:
    first = finished.run.public.said[0]
    return replace(first, sequence=9999, native_id="second", created_at=first.created_at + timedelta(minutes=3))


def test_i2_it_sees_what_only_the_network_prevented(damaged: Callable[..., Run], finished: Finished) -> None:
    public = replace(finished.run.public, refused=[finished.run.public.said[0].sequence])
    told(damaged(public=public), "I2", "sent a second time; only its network prevented it")


def test_i2_it_sees_a_public_reply_that_counts_as_planned(damaged: Callable[..., Run]) -> None:
    run = damaged(f"UPDATE reply SET state = 'planned', external_id = NULL WHERE id = {A_REPLY}")
    told(run, "I2", "no reply of the database accounts for it", "is planned")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (f"UPDATE post SET state = 'new', outcome = NULL WHERE id = {A_QUESTION}", "was never judged"),
        (f"UPDATE post SET outcome = NULL WHERE id = {A_QUESTION}", "ends nowhere"),
        (f"UPDATE post SET reason = NULL WHERE id = {PRAISE}", "ignored without a reason"),
        (f"DELETE FROM decision WHERE post_id = {A_QUESTION}", "without an assessment or a decision"),
        (f"DELETE FROM assessment WHERE post_id = {A_QUESTION}", "without an assessment or a decision"),
        (f"DELETE FROM escalation WHERE post_id = {A_QUESTION}", "its conversation has no case"),
        (f"UPDATE reply SET state = 'sending', external_id = NULL WHERE id = {A_REPLY}", "is still sending"),
        (f"UPDATE reply SET external_id = 'nowhere' WHERE id = {A_REPLY}", "counts as sent, and nobody can read it"),
        (f"DELETE FROM event WHERE verb = 'sent' AND subject_id = {A_REPLY}", "the audit log tells 0 times"),
        (TELL_AGAIN, "the audit log tells 2 times"),
        (f"UPDATE reply SET state = 'cancelled' WHERE id = {A_REPLY}", "the audit log tells that it was sent"),
    ],
)
def test_i3_it_sees_what_ends_nowhere(damaged: Callable[..., Run], damage: str, words: str) -> None:
    told(damaged(damage), "I3", words)


def test_i3_it_sees_an_edit_that_was_never_judged_but_for_one_that_came_at_the_very_end(
    damaged: Callable[..., Run], finished: Finished
) -> None:
    assert finished.run.over_at is not None
    for minutes, lines in ((-1, 1), (1, 0)):
        edited = (finished.run.over_at + timedelta(minutes=minutes)).astimezone(UTC)
        edit = f"UPDATE post SET state = 'new', edited_at = '{edited:%Y-%m-%d %H:%M:%S.000000}' WHERE id = {A_QUESTION}"
        assert len(about(damaged(edit), "I3")) == lines


def ended(at: str) -> str:
    """The case of the danger and of what followed it."""
    return (
        f"UPDATE escalation SET state = 'closed', close_reason = 'by phone', closed_at = '2026-11-20 {at}:00.000000' "
        f"WHERE post_id = {DANGER}"
    )


def test_i3_it_sees_what_was_written_after_its_case_had_ended(damaged: Callable[..., Run]) -> None:
    follow_up = f"UPDATE post SET created_at = '2026-11-20 15:00:00.000000' WHERE id = {DANGER_AGAIN}"
    told(damaged(ended("10:00"), follow_up), "I3", "its case had ended before it was written at 15:00:00")
    assert about(damaged(ended("15:00"), follow_up), "I3") == []  # whoever closed it then had read it
    reopened = f"UPDATE escalation SET state = 'open', closed_at = NULL WHERE post_id = {DANGER}"
    assert about(damaged(ended("10:00"), follow_up, reopened), "I3") == []


def test_i3_it_sees_an_edit_after_its_case_had_ended(damaged: Callable[..., Run]) -> None:
    edit = f"UPDATE post SET edited_at = '2026-11-20 15:00:00.000000' WHERE id = {DANGER}"
    told(damaged(ended("12:00"), edit), "I3", "its case had ended before it was written at 15:00:00")
    assert about(damaged(ended("12:00")), "I3") == []


def test_i3_it_sees_a_doubtful_reply_that_nobody_was_told_of(damaged: Callable[..., Run]) -> None:
    run = damaged(
        f"UPDATE reply SET state = 'unknown', external_id = NULL WHERE id = {A_REPLY}",
        f"DELETE FROM escalation WHERE post_id = {A_QUESTION}",
    )
    told(run, "I3", "is unknown, and no case tells people of it")


def test_i3_it_sees_a_decision_without_its_reply(damaged: Callable[..., Run]) -> None:
    told(
        damaged(f"DELETE FROM reply WHERE id = {A_REPLY}"), "I3", "was decided on an acknowledgement, and there is none"
    )


def later(column: str, table: str, where: str, *, minutes: int = 61) -> str:
    return f"UPDATE {table} SET {column} = datetime({column}, '{minutes:+} minutes') || '.000000' WHERE {where}"


WRITTEN_LONG_BEFORE = later("created_at", "post", f"id = {DANGER}", minutes=-61)
OVERLOOKED = (
    f"UPDATE post SET outcome = 'ignored', reason = 'no-answer-needed: chatter' WHERE id = {DANGER}",
    f"UPDATE assessment SET urgency = 'low' WHERE post_id = {DANGER}",
    f"UPDATE decision SET outcome = 'ignored' WHERE post_id = {DANGER}",
)
NEVER_JUDGED = (
    f"UPDATE post SET state = 'new', outcome = NULL WHERE id = {DANGER}",
    f"DELETE FROM assessment WHERE post_id = {DANGER}",
    f"DELETE FROM decision WHERE post_id = {DANGER}",
)


def test_i4_it_sees_an_urgent_post_that_nobody_saw_in_time(damaged: Callable[..., Run]) -> None:
    run = damaged(WRITTEN_LONG_BEFORE)
    told(run, "I4", "is critical, nobody saw it within 1:00:00")  # though its case has its alert
    assert len(violations(run)) == 1


@pytest.mark.parametrize(
    ("kind", "subject", "raised", "explains"),
    [
        ("connector", "lawenda-facebook", 40, True),
        ("behind", "lawenda-facebook", 60, True),
        ("daemon", "vm:1/triage", 40, True),
        ("connector", "lawenda-x", 40, False),
        ("connector", "lawenda-facebook/own", 40, False),  # what cannot be read are our own posts
        ("connector", "lawenda-facebook", 90, False),  # people had seen it before
        ("daemon", "vm:1/triage", -70, False),  # of one that may have died since
        ("unknown", "lawenda-facebook", 40, False),
        ("case", "lawenda-facebook", 61, False),
    ],
)
def test_i4_only_an_alert_of_what_was_in_the_way_says_why(
    damaged: Callable[..., Run], kind: str, subject: str, raised: int, explains: bool
) -> None:
    alert = (
        "INSERT INTO alert (state, step, attempts, kind, subject, message, raised_at) "
        f"SELECT 'raised', 0, 0, '{kind}', '{subject}', '', datetime(created_at, '{raised:+} minutes') || '.000000' "
        f"FROM post WHERE id = {DANGER}"
    )
    assert (about(damaged(WRITTEN_LONG_BEFORE, alert), "I4") == []) is explains


def test_i4_an_older_case_is_no_sight_of_what_follows(damaged: Callable[..., Run]) -> None:
    joined = f"verb = 'joined' AND at = (SELECT made_at FROM decision WHERE post_id = {DANGER_AGAIN})"
    told(damaged(f"DELETE FROM event WHERE {joined}"), "I4", "is critical, nobody saw it")
    judged_late = (later("at", "event", joined), later("made_at", "decision", f"post_id = {DANGER_AGAIN}"))
    told(damaged(*judged_late), "I4", "is critical, nobody saw it")


@pytest.mark.parametrize("damage", [OVERLOOKED, NEVER_JUDGED], ids=["overlooked", "never judged"])
def test_i4_it_sees_what_is_urgent_to_everybody_but_the_desk(
    damaged: Callable[..., Run], damage: tuple[str, ...]
) -> None:
    told(damaged(*damage), "I4", "is urgent by its words, nobody saw it")


def test_i4_nobody_has_to_see_what_a_person_answered_what_is_gone_or_what_a_machine_wrote(
    damaged: Callable[..., Run], finished: Finished
) -> None:
    public = finished.run.public
    asked = next(post for post in public.of_customers if "10100" in post.text)
    soon, late = (asked.created_at + timedelta(minutes=minutes) for minutes in (20, 90))
    answer = replace(
        public.said[0], sequence=9999, native_id="by hand", via="native", parent=asked.sequence, root=asked.root
    )
    for when, seen in ((soon, True), (late, False)):
        for history in (
            with_posts(public, replace(answer, created_at=when)),
            with_posts(public, replace(asked, deleted_at=when)),
        ):
            assert (about(damaged(*OVERLOOKED, public=history), "I4") == []) is seen
    bot = f"UPDATE author SET is_bot = 1 WHERE id = (SELECT author_id FROM post WHERE id = {DANGER})"
    assert about(damaged(*OVERLOOKED, bot), "I4") == []


def test_i5_it_sees_a_cursor_that_passed_a_post(damaged: Callable[..., Run]) -> None:
    run = damaged(*FORGET_PRAISE, over_at=None)
    told(run, "I5", "is not stored, and its profile counts as read until")
    assert all(line.startswith("I5") for line in violations(run))
    behind = damaged(*FORGET_PRAISE, "UPDATE profile SET last_polled_at = first_polled_at", over_at=None)
    assert violations(behind) == []  # not read yet is not lost


def test_i6_it_sees_a_reply_after_a_stop_that_the_desk_noted(damaged: Callable[..., Run]) -> None:
    stopped = f"(SELECT author_id FROM reply WHERE id = {A_REPLY})"
    run = damaged(f"UPDATE author SET opted_out_at = '2026-11-20 08:00:00.000000' WHERE id = {stopped}")
    told(run, "I6", "went to somebody who had said stop")


@pytest.mark.parametrize("words", [SHARES["stop"][1].format(n=10_300), "stop", "Please stop replying to my posts."])
def test_i6_it_sees_a_reply_to_a_stop_that_the_desk_did_not_understand(
    damaged: Callable[..., Run], finished: Finished, words: str
) -> None:
    asked = finished.run.public.above(finished.run.public.said[0])
    run = damaged(public=with_posts(finished.run.public, replace(asked, text=words)))
    told(run, "I6", f"went to {asked.author}, who had said stop in post {asked.sequence}")


FORGET_STOP = "UPDATE author SET opted_out_at = NULL WHERE opted_out_at IS NOT NULL"
STOP_ROW = "(SELECT id FROM post WHERE text LIKE '%10200%')"


def test_i6_it_sees_a_reply_elsewhere_after_a_stop_that_the_desk_forgot(
    damaged: Callable[..., Run], finished: Finished
) -> None:
    judged = f"UPDATE decision SET made_at = '2026-11-20 12:00:00.000000' WHERE post_id = {STOP_ROW}"
    for minutes, wrong in ((4, False), (6, True)):  # what was on the wire when the stop was read
        stop, said = elsewhere_after_a_stop(finished, at("2026-11-20 13:00") + timedelta(minutes=minutes))
        found = about(damaged(FORGET_STOP, judged, public=with_posts(finished.run.public, said)), "I6")
        assert any(f"{stop.author}, who had said stop in post {stop.sequence} (" in line for line in found) is wrong


@pytest.mark.parametrize(
    ("gone_after", "looks", "wrong"), [(None, 3, True), (5, 3, False), (30, 2, False), (30, 3, True)]
)
def test_i6_a_stop_that_was_taken_back_before_anybody_could_read_it_was_not_heard(
    damaged: Callable[..., Run], finished: Finished, gone_after: int | None, looks: int, wrong: bool
) -> None:
    stop, said = elsewhere_after_a_stop(finished, at("2026-11-21 13:00"))
    gone = None if gone_after is None else stop.created_at + timedelta(minutes=gone_after)
    public = with_posts(finished.run.public, replace(stop, deleted_at=gone), said)
    public = replace(
        public, looks={stop.network: [stop.created_at + timedelta(minutes=minute) for minute in range(1, looks + 1)]}
    )
    never_judged = f"DELETE FROM decision WHERE post_id = {STOP_ROW}"
    found = about(damaged(FORGET_STOP, never_judged, public=public), "I6")
    assert any(f"who had said stop in post {stop.sequence}" in line for line in found) is wrong, found
    assert all("never judged" in line for line in found)


def elsewhere_after_a_stop(finished: Finished, when: datetime) -> tuple[PublicPost, PublicPost]:
    """The stop of somebody, and an automatic text that went to their other post."""
    public = finished.run.public
    stop = next(post for post in public.of_customers if "10200" in post.text)
    asked = next(post for post in public.of_customers if "10201" in post.text)
    said = replace(public.said[0], sequence=9999, native_id="second", parent=asked.sequence, root=asked.root)
    return stop, replace(said, created_at=when)


def test_i6_it_sees_a_reply_to_a_deleted_post(damaged: Callable[..., Run], finished: Finished) -> None:
    said = finished.run.public.said[0]
    above = replace(finished.run.public.above(said), deleted_at=said.created_at - timedelta(minutes=6))
    public = with_posts(finished.run.public, above)
    told(damaged(public=public), "I6", f"answers post {above.sequence}, deleted")


def test_i6_it_sees_a_reply_after_a_person(damaged: Callable[..., Run], finished: Finished) -> None:
    said = finished.run.public.said[0]
    asked = replace(finished.run.public.above(said), created_at=said.created_at - timedelta(minutes=9))
    answer = replace(
        said, sequence=9999, via="native", native_id="by hand", created_at=said.created_at - timedelta(minutes=7)
    )
    public = with_posts(finished.run.public, asked, answer)
    told(damaged(public=public), "I6", "came after a person's answer, post 9999")


def test_i7_it_sees_a_row_that_points_nowhere(damaged: Callable[..., Run]) -> None:
    told(damaged(f"UPDATE assessment SET post_id = 777777 WHERE post_id = {PRAISE}"), "I7", "777777 is no post")


def test_i8_it_sees_secrets_and_customers_words_in_a_log(
    damaged: Callable[..., Run], finished: Finished, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    words = finished.run.public.above(finished.run.public.said[0]).text
    log.write_text(f"{finished.log.read_text()}token {finished.run.secrets[0]}\nsaid {words}\n", encoding="utf-8")
    last = len(log.read_text().splitlines())
    told(damaged(logs=[log]), "I8", f"log:{last - 1}: a secret")
    told(damaged(logs=[log]), "I8", f"log:{last}: the words of facebook post")
    assert finished.run.secrets[0] not in "".join(violations(damaged(logs=[log])))


def test_i8_it_finds_a_piece_from_anywhere_in_the_words(tmp_path: Path) -> None:
    words, log = "Gdzie jest moja paczka numer 10002? Czekam od tygodnia.", tmp_path / "log"
    for start in range(len(words) - PIECE + 1):
        piece = words[start : start + PIECE]
        log.write_text(f"at noon|{piece}|\nlater|{piece[:-1]}|\n", encoding="utf-8")
        assert list(leaks([log], secrets=[], words={"post 1": words})) == [("log:1", "the words of post 1")]


def test_k2_it_sees_a_judgement_that_an_undisturbed_pass_would_not_give(damaged: Callable[..., Run]) -> None:
    run = damaged(f"UPDATE assessment SET urgency = 'low' WHERE post_id = {DANGER}")
    assert labels_differ(run.database, SureRules(), only=WRITTEN_BY_A_CUSTOMER) != []


def test_k2_it_sees_a_post_that_an_undisturbed_pass_would_have_judged(damaged: Callable[..., Run]) -> None:
    run = damaged(f"DELETE FROM assessment WHERE post_id = {DANGER}")
    (found,) = labels_differ(run.database, SureRules(), only=WRITTEN_BY_A_CUSTOMER)
    assert "is judged, and was never judged" in found
