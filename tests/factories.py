"""Things for tests to start from, made through the product's own functions. Say only what your promise is about.

    shop = profile(database)                                        # polled since yesterday, mode acknowledge
    asked = remembered(database, shop, post("Gdzie paczka?", when=at("2026-11-20 10:00")))
    waiting = case(database, shop, asked, urgency=Urgency.HIGH)     # judged, decided, in the queue
    text = planned(database, asked, due_at=at("2026-11-20 10:40"))  # the robot's acknowledgement in the outbox
    desk = desk_for(database, clock, network)                       # everything open: line.take_in(desk, desk.now())

Ids that come back are row ids. Every function commits.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from social.domain.assessment import Assessment, Flag, Head, ModelIdentity, Reason, Sentiment, Urgency
from social.domain.decision import Decision, Outcome
from social.domain.hours import BusinessCalendar
from social.domain.post import Author, FetchedPost, PostKind, ProfileMode
from social.domain.reply import Composed, ReplyKind, SentBy
from social.store import escalations, outbox, posts, profiles
from social.store.mapping import Profile, assessment_values, decision_values
from social.store.rows import c, insert_rows, t, upsert
from social.store.session import Database
from social.store.tables import AssessmentRow, BrandRow, ConversationRow, DecisionRow, PostRow, ProfileRow
from tests.cast import ANNA, BRAND, OFFICE, PROFILE, at

if TYPE_CHECKING:
    from social.engine.desk import Desk
    from social.ports import Classifier, Clock, Connector

#: Everything newer than this is answered, unless a test says otherwise.
FIRST_POLL = at("2026-11-01 08:00")
FAKE_MODEL = ModelIdentity(id="fake", version="1")


def post(
    text: str = "Gdzie jest moja paczka?",
    *,
    when: datetime,
    by: Author = ANNA,
    native_id: str | None = None,
    thread_root: str | None = None,
    **more: Any,
) -> FetchedPost:
    """A customer's comment. The id is made of the author and the time; without ``thread_root`` it begins a thread."""
    native_id = native_id or f"{by.native_id}-{when:%m%dT%H%M%S}"
    values: dict[str, Any] = {
        "kind": PostKind.COMMENT,
        "summoned": True,
        "permalink": f"https://fake.invalid/p/{native_id}",
    }
    return FetchedPost(
        native_id=native_id,
        author=by,
        text=text,
        created_at=when,
        thread_root=thread_root or native_id,
        **{**values, **more},
    )


def assessment(
    *,
    language: str = "pl",
    sentiment: Sentiment = Sentiment.NEUTRAL,
    urgency: Urgency = Urgency.NORMAL,
    needs_reply: bool = True,
    flags: frozenset[Flag] | set[Flag] = frozenset(),
    abstained: frozenset[Head] | set[Head] = frozenset(),
    reasons: tuple[Reason, ...] = (),
    vector: bytes | None = None,
) -> Assessment:
    """A sure judgement: 0.8 on the label, the rest shared out."""
    return Assessment(
        language=language,
        sentiment=sentiment,
        sentiment_scores={label: 0.8 if label is sentiment else 0.1 for label in Sentiment},
        urgency=urgency,
        urgency_scores={label: 0.7 if label is urgency else 0.1 for label in Urgency},
        needs_reply=needs_reply,
        flags=frozenset(flags),
        abstained=frozenset(abstained),
        reasons=reasons,
        vector=vector,
        model=FAKE_MODEL,
    )


def profile(
    database: Database,
    name: str = PROFILE,
    *,
    brand: str = BRAND,
    network: str = "fake",
    mode: ProfileMode = ProfileMode.ACKNOWLEDGE,
    now: datetime = FIRST_POLL,
    first_polled_at: datetime | None = FIRST_POLL,
) -> Profile:
    """A profile as the configuration would make it; beside others, which stay."""
    with database.write() as session:
        rows = session.execute(select(ProfileRow).where(c(ProfileRow).state == "active")).scalars().all()
        brands = {row.id: row.name for row in session.execute(select(t(BrandRow)))}
        kept = [
            profiles.WantedProfile(
                name=row.name, brand=brands[row.brand_id], network=row.network, mode=ProfileMode(row.mode)
            )
            for row in rows
            if row.name != name
        ]
        wanted = profiles.WantedProfile(name=name, brand=brand, network=network, mode=mode)
        profiles.synchronise(session, [*kept, wanted], now=now)
        session.flush()
        session.execute(
            update(ProfileRow)
            .where(c(ProfileRow).name == name)
            .values(first_polled_at=first_polled_at, last_polled_at=first_polled_at)
        )
    with database.read() as session:
        found = profiles.by_name(session, name)
    assert found is not None
    return found


def remembered(database: Database, shop: Profile, *found: FetchedPost, now: datetime | None = None, **how: Any) -> int:
    """Take posts in, as a poll does; the row id of the last one. ``how`` goes to ``posts.remember``."""
    with database.write() as session:
        posts.remember(session, shop, found, now=now or max(item.created_at for item in found), **how)
    return post_id(database, shop, found[-1].native_id)


def post_id(database: Database, shop: Profile, native_id: str) -> int:
    with database.read() as session:
        query = select(c(PostRow).id).where(c(PostRow).profile_id == shop.id, c(PostRow).native_id == native_id)
        return session.execute(query).scalar_one()


def judged(
    database: Database,
    row_id: int,
    judgement: Assessment | None = None,
    *,
    outcome: Outcome = Outcome.ESCALATED,
    rule: str = "open",
    reason: str = "open: a person answers",
    now: datetime | None = None,
) -> None:
    """The post is assessed and decided, as the second loop does; nothing is planned and no case opened."""
    judgement = judgement or assessment()
    with database.write() as session:
        row = session.get(PostRow, row_id)
        assert row is not None
        when = now or row.created_at
        keys = {"post_id": row_id, "revision_number": row.revision_number}
        values = {**assessment_values(judgement), "made_at": when}
        upsert(session, AssessmentRow, [{**keys, **values}], key=tuple(keys), change=tuple(values))
        decision = Decision(rule=rule, reason=reason, policy_version="test", outcome=outcome, urgency=judgement.urgency)
        made = decision_values(decision, post_id=row_id, revision_number=row.revision_number, now=when)
        insert_rows(session, DecisionRow, [made])
        row.state, row.outcome, row.reason = "judged", outcome.value, f"{rule}: {reason}"
        session.add(row)


def case(
    database: Database,
    row_id: int,
    *,
    urgency: Urgency = Urgency.NORMAL,
    rule: str = "open",
    reason: str = "open: a person answers",
    judgement: Assessment | None = None,
    formal_deadline: timedelta | None = None,
    now: datetime | None = None,
) -> int:
    """The post stands in the people's queue; the id of its case."""
    judged(database, row_id, judgement or assessment(urgency=urgency), rule=rule, reason=reason, now=now)
    with database.write() as session:
        row = session.get(PostRow, row_id)
        assert row is not None
        conversation = session.get(ConversationRow, row.conversation_id)
        assert conversation is not None
        conversation.waiting_since = conversation.waiting_since or row.created_at
        session.add(conversation)
        return escalations.open_or_join(
            session,
            escalations.NewCase(
                brand_id=row.brand_id,
                profile_id=row.profile_id,
                conversation_id=row.conversation_id,
                post_id=row_id,
                urgency=urgency,
                rule=rule,
                reason=reason,
                waiting_since=conversation.waiting_since,
                formal_deadline=formal_deadline,
            ),
            now=now or row.created_at,
        )


def planned(
    database: Database,
    row_id: int,
    *,
    text: str = "Dziękujemy za wiadomość. To automatyczna odpowiedź; zespół odpisze dziś do 17:00.",
    kind: ReplyKind = ReplyKind.ACKNOWLEDGEMENT,
    sent_by: SentBy = SentBy.ROBOT,
    due_at: datetime | None = None,
    not_after: datetime | None = None,
    facts: dict[str, str] | None = None,
    user_id: int | None = None,
    urgency: Urgency = Urgency.NORMAL,
) -> int:
    """A text in the outbox, by default the robot's acknowledgement 40 minutes after the post; the reply's id."""
    with database.write() as session:
        row = session.get(PostRow, row_id)
        assert row is not None
        due = due_at or row.created_at + timedelta(minutes=40)
        reply = outbox.plan(
            session,
            outbox.NewReply(
                brand_id=row.brand_id,
                profile_id=row.profile_id,
                conversation_id=row.conversation_id,
                post_id=row_id,
                author_id=row.author_id,
                kind=kind,
                sent_by=sent_by,
                composed=Composed(text=text, language="pl", variant="test", facts=facts or {}),
                due_at=due,
                not_after=not_after or (row.created_at + timedelta(minutes=60) if sent_by is SentBy.ROBOT else None),
                user_id=user_id,
                urgency=urgency,
            ),
            now=row.created_at,
        )
        assert reply.id is not None
        return reply.id


def row_of(database: Database, model: type[Any], row_id: int) -> dict[str, Any]:
    """All columns of one row, as a plain dict that outlives the session."""
    with database.read() as session:
        return dict(session.execute(select(t(model)).where(c(model).id == row_id)).mappings().one())


def desk_for(
    database: Database,
    clock: Clock,
    connector: Connector,
    *,
    name: str = PROFILE,
    mode: ProfileMode = ProfileMode.ACKNOWLEDGE,
    closed_notice: bool = True,
    calendar: BusinessCalendar = OFFICE,
    classifier: Classifier | None = None,
    fallback: Classifier | None = None,
    first_polled_at: datetime | None = FIRST_POLL,
    poll_every: timedelta = timedelta(minutes=5),
) -> Desk:
    """An open desk with one profile of the shop, ready for the three steps of ``social.engine.line``. ``fallback`` also takes
    the quick look at what comes in; without one, all is normal to it."""
    from social.engine.desk import Desk, LiveProfile
    from tests.fakes import FakeClassifier

    shop = profile(database, name, network=connector.kind, mode=mode, now=clock.now(), first_polled_at=first_polled_at)
    live = LiveProfile(
        id=shop.id,
        name=name,
        brand=BRAND,
        brand_id=shop.brand_id,
        languages=("pl", "en"),
        calendar=calendar,
        mode=mode,
        closed_notice=closed_notice,
        poll_every=poll_every,
        connector=connector,
    )
    return Desk(
        database=database,
        clock=clock,
        classifier=classifier or FakeClassifier(),
        fallback=fallback or FakeClassifier(),
        profiles={shop.id: live},
    )
