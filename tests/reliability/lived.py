"""A desk that has lived: customers whose every word is a canary, put in through the real line, people and messages included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select, update

from social.clock import SteppedClock
from social.domain.assessment import Reason, Urgency
from social.domain.post import Author, FetchedPost, Media, MediaKind, Quarantined
from social.engine import line, people
from social.engine.answering import AnswerContext
from social.engine.desk import Desk
from social.engine.schedule import run_stepped
from social.reports.buckets import By
from social.reports.queries import SentimentQuery
from social.reports.report import SentimentReport, make_report
from social.store import notes, users
from social.store.rows import c
from social.store.session import Database
from social.store.tables import (
    AlertRow,
    AuthorRow,
    ConversationRow,
    EscalationRow,
    NotificationRow,
    PersonRow,
    PostRow,
    ProfileRow,
)
from tests.cast import HANNA, MAREK, OFFICE, PIOTR, PROFILE, at
from tests.factories import assessment, desk_for, post
from tests.fakes import FAKE_RULES, FakeClassifier, FakeConnector

MORNING = at("2026-11-20 09:00")
EVENING = at("2026-11-20 16:30")
CONTEXT = AnswerContext(rules=FAKE_RULES, private_channel=False)


@dataclass(frozen=True, slots=True)
class Canary:
    """One customer; ``word`` stands in whatever is theirs and nowhere else."""

    number: int

    @property
    def word(self) -> str:
        return f"kanarek{self.number:03}x"

    @property
    def author(self) -> Author:
        return Author(
            native_id=f"did:{self.word}:id", handle=f"{self.word}.żółty", display_name=f"Ptak {self.word} Łódzki"
        )

    def asks(self, when: datetime, *, text: str = "Gdzie jest moja paczka", again: str = "") -> FetchedPost:
        native_id = f"at://did:{self.word}:id/post/{when:%H%M%S}{again}"
        return post(
            f"{text}, pyta {self.word} o {when:%H:%M}? Proszę o szybką odpowiedź.",
            when=when,
            by=self.author,
            native_id=native_id,
            permalink=f"https://fake.invalid/{self.word}/{when:%H%M%S}",
            media=(Media(kind=MediaKind.IMAGE, url=f"https://fake.invalid/{self.word}.jpg", description=self.word),),
            native={"id": native_id, "avatar": f"https://fake.invalid/{self.word}-avatar.png"},
            raw={"author": {"did": self.author.native_id, "handle": self.author.handle}, "text": f"żółty {self.word}"},
        )


def judge() -> FakeClassifier:
    """Whose reasons repeat the customer's word, as a rule's evidence does."""
    judge = FakeClassifier()
    for number in range(60):
        word = Canary(number).word
        reason = Reason(source="rule", name="delivery", evidence=f"paczka, pyta {word}", effect="urgency")
        said = assessment(urgency=Urgency.HIGH, reasons=(reason,), vector=word.encode())
        judge.judges(f"pyta {word}", said).judges(f"Poprawka: {word}", said)
    return judge


def living_desk(database: Database, canaries: Sequence[Canary]) -> tuple[Desk, SteppedClock, FakeConnector]:
    """A day: everybody asks, edits, is acknowledged by the robot, answered by a person here or in the app, or still waits."""
    clock = SteppedClock(MORNING)
    network = FakeConnector(clock)
    desk = desk_for(database, clock, network, classifier=judge())
    for canary in canaries:
        when = MORNING + timedelta(minutes=5, seconds=canary.number)
        asked = network.publishes(canary.asks(when))
        if canary.number % 5 == 1:
            name = canary.author.handle
            network.answers_by_hand(
                asked, f"@{name} już sprawdzam", when=when + timedelta(minutes=20), native_id=f"hand-{canary.number}"
            )
        if canary.number % 5 == 2:
            network.publishes(canary.asks(when + timedelta(hours=2), text="Halo", again="b"))
    network.garbles(_unreadable(canaries[0]))
    network.publishes(
        post(
            f"Zgadzam się z @{canaries[0].author.handle}, mam to samo.", when=MORNING + timedelta(minutes=30), by=PIOTR
        )
    )
    run_stepped(desk, clock, until=MORNING + timedelta(minutes=15))
    for canary in canaries[::7]:
        asked = canary.asks(MORNING + timedelta(minutes=5, seconds=canary.number))
        network.edits(asked.native_id, f"Poprawka: {canary.word}, paczka jest w Łodzi.", when=clock.now())
    run_stepped(desk, clock, until=MORNING + timedelta(minutes=17))
    _people_work(database, canaries, clock.now())
    run_stepped(desk, clock, until=EVENING)
    return desk, clock, network


def _unreadable(canary: Canary) -> Quarantined:
    return Quarantined(native_id="odd-1", reason="no time", raw=f'{{"author": {{"handle": "{canary.author.handle}"}}}}')


def _people_work(database: Database, canaries: Sequence[Canary], now: datetime) -> None:
    cases = cases_of(database)
    for canary in canaries:
        case_id = cases[canary.author.native_id]
        if canary.number % 5 == 0:
            words = f"Dzień dobry, {canary.author.display_name}, paczka jest w drodze."
            people.answer(database, CONTEXT, case_id, words, user=MAREK, now=now, accept_warnings=True)
        if canary.number % 5 == 3:
            people.take(database, case_id, user=HANNA, now=now, calendar=OFFICE)
        if canary.number % 5 == 4:
            people.close(database, case_id, user=MAREK, now=now, reason=f"zadzwoniła {canary.word}")
    with database.write() as session:
        who = users.user_id(session, HANNA, now=now)
        for canary in canaries:
            row = session.get(EscalationRow, cases[canary.author.native_id])
            assert row is not None
            notes.add(session, row.conversation_id, user_id=who, text=f"> pyta {canary.word}\nzna ją Marek", now=now)
            alert = AlertRow(
                state="told", kind="case", subject=f"{row.id}:high", message=f"case {row.id}", raised_at=now,
                escalation_id=row.id,
            )  # fmt: skip
            session.add(alert)
            session.flush()
            session.add(
                NotificationRow(
                    state="planned", alert_id=alert.id, kind="case", recipient=MAREK, channel="email",
                    key=f"k-{canary.number}", subject=canary.author.display_name or "", body=f'"pyta {canary.word}"',
                    created_at=now,
                )
            )  # fmt: skip
            person = PersonRow(created_at=now)
            session.add(person)
            session.flush()
            author = session.execute(
                select(AuthorRow).where(c(AuthorRow).native_id == canary.author.native_id)
            ).scalar_one()
            author.person_id = person.id
            session.add(author)


def cases_of(database: Database) -> dict[str, int]:
    """author's native id -> their newest case."""
    with database.read() as session:
        rows = session.execute(
            select(c(AuthorRow).native_id, c(EscalationRow).id)
            .join(ConversationRow, c(ConversationRow).author_id == c(AuthorRow).id)
            .join(EscalationRow, c(EscalationRow).conversation_id == c(ConversationRow).id)
            .order_by(c(EscalationRow).id)
        )
        return {native_id: case_id for native_id, case_id in rows}


def poll_all_again(desk: Desk, clock: SteppedClock) -> None:
    """The network shows everything once more, from its beginning."""
    with desk.database.write() as session:
        session.execute(update(ProfileRow).values(cursor=None, due_at=clock.now(), refresh_due_at=clock.now()))
    while line.take_in(desk, clock.now()):
        pass


def report(database: Database, *, now: datetime, name: str = PROFILE, first: str = "2026-11-20") -> SentimentReport:
    day = datetime.fromisoformat(first).date()
    query = SentimentQuery(
        from_day=day,
        to_day=now.date() + timedelta(days=1),
        by=By.DAY,
        time_zone=ZoneInfo("Europe/Warsaw"),
        profiles=(name,),
    )
    with database.read() as session:
        return make_report(session, query, now=now)


def numbers(made: SentimentReport) -> object:
    """Everything on the screen that is a number."""
    return made.rows, made.totals, made.provenance.models, made.provenance.dry_run


def words_of(canaries: Iterable[Canary]) -> list[bytes]:
    return [canary.word.encode() for canary in canaries]


def posts_of(database: Database) -> int:
    with database.read() as session:
        return len(session.execute(select(c(PostRow).id)).all())
