"""The composition root: ``Settings`` -> an open ``Desk``. The only place where the parts are chosen."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from connectors import registry
from responders.snapshot import Limits, Timing
from social import clock
from social.clock import Anchor, PacedClock, RealClock
from social.domain.errors import ConfigurationError, DyzurError, ModelUnavailable
from social.domain.post import ProfileMode
from social.engine import removed
from social.engine.calendars import calendar_of
from social.engine.desk import Copies, Desk, Leases, LiveProfile
from social.engine.meter import StoredMeter
from social.engine.on_call import open_on_call
from social.engine.rules import open_rules
from social.ports import Classifier, Clock, Connector, ConnectorContext, CredentialStore
from social.secrets import EncryptedCredentials
from social.settings import ClockMode, ProfileSettings, Settings, TriageBackend, require_loopback
from social.store import ahead, control, credentials, profiles, retention, schema
from social.store.session import Database
from triage.rules import RuleBook

log = logging.getLogger("social.build")

#: A reply may need its post read before and itself looked up after: that many answers, each with its time-out.
REQUESTS_AN_ATTEMPT = 3


def open_database(settings: Settings) -> Database:
    """The configured database, a relative SQLite path taken from the configuration's folder."""
    url = settings.database.url
    if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        url = f"sqlite:///{settings.path(url.removeprefix('sqlite:///'))}"
    return Database(url)


def database_file(settings: Settings) -> Path | None:
    """Where the SQLite file lies, or will; ``None`` for PostgreSQL. Opens and makes nothing."""
    name = settings.database.url.removeprefix("sqlite:///")
    return None if name == settings.database.url else settings.path(name)


def prepare_database(database: Database) -> None:
    """Bring SQLite up to date (backup first); on PostgreSQL refuse an old schema and name the command."""
    problem = schema.check_integrity(database)
    if problem is not None:
        raise DyzurError(
            f"the database is damaged ({problem}).",
            resource=str(database.path),
            next_step="Move it away and restore the newest backup beside it.",
        )
    if database.dialect == "sqlite":
        backup = schema.upgrade(database, now=clock.machine_now())
        if backup is not None:
            log.info("the database was upgraded; a backup from before is %s", backup)
    else:
        schema.require_current(database)


def open_clock(settings: Settings, database: Database, *, resume: bool = False) -> Clock:
    """The world's clock. A paced one is anchored in the database once; ``resume`` ties the world's latest time to now
    (the simulated world stood still while nothing ran), otherwise the anchor that is there goes on."""
    with database.write() as session:
        found = control.clock_anchor(session)
        if settings.clock.mode is ClockMode.REAL:
            control.set_clock(session, mode=RealClock.mode, anchor=None)
            return RealClock(found[2] if found else None)
        require_loopback(settings)
        assert settings.clock.start is not None  # the settings insist
        anchor = found[1] if found else None
        if anchor is None or resume:
            latest = found[2] if found else None
            world = max(settings.clock.start, latest) if latest else settings.clock.start
            anchor = Anchor(machine=clock.machine_now(), world=world, speed=settings.clock.speed)
        control.set_clock(session, mode=PacedClock.mode, anchor=anchor)
        return PacedClock(anchor)


def key_file(settings: Settings, database: Path | None) -> Path:
    """Where the key of refreshed credentials lies: beside the SQLite file, else (``None``) beside config.toml."""
    return settings.path("dyzur.key") if database is None else database.with_suffix(".key")


def open_credentials(settings: Settings, database: Database) -> CredentialStore:
    return EncryptedCredentials(
        directory=settings.path(settings.secrets.directory),
        key_file=key_file(settings, database.path),
        sealed=credentials.StoredCredentials(database, clock.machine_now),
    )


def open_judge(settings: Settings, rules: RuleBook | None = None) -> Classifier:
    """The configured classifier; ``rules``: the configured ones, where they are open already. Raises ``ModelUnavailable``
    where it cannot be loaded, ``ConfigurationError`` for rules that cannot be used."""
    from triage.load import load_classifier

    return load_classifier(
        backend=settings.triage.backend,
        model=settings.triage.model,
        threads=settings.triage.threads,
        languages=_languages(settings),
        rules=rules or open_rules(settings),
    )


def load_judge(settings: Settings) -> tuple[Classifier, Classifier]:
    """The configured classifier and the rules that take over if it breaks. A model that cannot be loaded is said aloud
    and replaced at once: never silently neutral. Raises ``ConfigurationError`` for rules that cannot be used."""
    from triage.load import rules_only

    rules, languages = open_rules(settings), _languages(settings)
    fallback = rules_only("the model broke while running", languages=languages, rules=rules)
    try:
        return open_judge(settings, rules), fallback
    except ModelUnavailable as error:
        log.error("THE MODEL CANNOT BE LOADED, rules only, everything doubtful goes to people: %s", error)
        return rules_only(str(error), languages=languages, rules=rules), fallback


def judge_for(settings: Settings, parts: Collection[str]) -> tuple[Classifier, Classifier]:
    """As ``load_judge`` for who does triage; else the rules alone, which only look quickly at what is urgent by its words."""
    from triage.load import rules_only

    if "triage" in parts:
        return load_judge(settings)
    rules = rules_only("this daemon judges nothing", languages=_languages(settings), rules=open_rules(settings))
    return rules, rules


def _languages(settings: Settings) -> tuple[str, ...]:
    return tuple(dict.fromkeys(language for brand in settings.brands for language in brand.languages))


def open_desk(
    settings: Settings,
    database: Database,
    world: Clock,
    *,
    judge: tuple[Classifier, Classifier] | None = None,
    only: Collection[str] | None = None,
    leases: Leases | None = None,
    parts: Collection[str] = control.PARTS,
) -> Desk:
    """Everything open and ready to tick. A profile whose connector cannot be opened is left out with its reason; the
    others go on. ``only`` opens no more than these profiles, for a command beside the daemon, and leaves their modes as the
    daemon has them; ``judge`` is used instead of the configured one. ``parts`` are what the desk is opened for: only who
    judges needs the model, and who does none of them (the pages alone) no network and no secret. The database must be
    current."""
    # first: what it refuses must leave nothing half open
    classifier, fallback = judge or judge_for(settings, parts)
    now = world.now()
    with database.write() as session:
        profiles.synchronise(
            session,
            [
                profiles.WantedProfile(name=item.name, brand=item.brand, network=item.connector, mode=item.mode)
                for item in settings.profiles
            ],
            now=now,
            change_modes=only is None,
        )
        # a simulated world goes on from its last heartbeat, some of its minutes before it stood still
        real = only is None and settings.clock.mode is ClockMode.REAL
        if real and (late := ahead.pull_back(session, now)):
            log.warning(
                "%d times in the database lay ahead of this clock, which one before it was; they are set to now", late
            )
    if only is None:  # the daemon that a command runs beside may still have the profile open
        removed.end_replies(database, now)
        removed.show_unjudged(database, now)
    store = open_credentials(settings, database)
    live: dict[int, LiveProfile] = {}
    broken: dict[str, str] = {}
    for item in settings.profiles:
        if not parts or (only is not None and item.name not in only):
            continue
        try:
            opened = _open_profile(settings, item, database, store, world)
        except DyzurError as error:
            broken[item.name] = str(error)
            _keep_error(database, item.name, str(error), now)
        else:
            live[opened.id] = opened
    return Desk(
        database=database,
        clock=world,
        classifier=classifier,
        fallback=fallback,
        profiles=live,
        timing=timing_of(settings),
        limits=Limits(
            per_author_an_hour=settings.responders.per_author_an_hour,
            per_profile_an_hour=settings.responders.per_profile_an_hour,
        ),
        formal_deadline=settings.responders.formal_deadline,
        batch=settings.triage.batch,
        leases=leases or Leases(),
        broken=broken,
        on_call=open_on_call(settings, store) if only is None and parts else None,
        expects_model="triage" in parts and settings.triage.backend is not TriageBackend.RULES,
        retention=retention_of(settings),
        copies=_copies(settings, database),
    )


def retention_of(settings: Settings) -> retention.Limits:
    kept = settings.retention
    return retention.Limits(
        raw_answers=kept.raw_answers,
        texts=kept.texts,
        vectors=kept.vectors,
        notifications=kept.notifications,
        audit=kept.audit,
    )


def _copies(settings: Settings, database: Database) -> Copies | None:
    """None of a simulated world: its days are minutes, and nothing in it is worth a copy."""
    if database.path is None or settings.clock.mode is not ClockMode.REAL:
        return None
    return Copies(keep=settings.database.daily_backups, folder=settings.path(settings.database.backup_folder))


def timing_of(settings: Settings) -> Timing:
    return Timing(
        acknowledge_after=settings.responders.acknowledge_after,
        urgent_acknowledge_after=settings.responders.urgent_acknowledge_after,
    )


def _open_profile(
    settings: Settings, item: ProfileSettings, database: Database, store: CredentialStore, world: Clock
) -> LiveProfile:
    connector_type = registry.load(item.connector)
    connector_settings: Mapping[str, object] = settings.connectors.get(item.connector, {})
    connector = connector_type.open(
        ConnectorContext(
            profile=item.name,
            options=item.options,
            settings=connector_settings,
            credential=item.credential,
            credentials=store,
            clock=world,
            meter=StoredMeter(database=database, profile=item.name),
        )
    )
    with database.read() as session:
        row = profiles.by_name(session, item.name)
    if row is None:
        raise ConfigurationError(f"the profile {item.name!r} is not in the database.", resource=item.name)
    brand = settings.brand(item.brand)
    return LiveProfile(
        id=row.id,
        name=item.name,
        brand=brand.name,
        brand_id=row.brand_id,
        languages=brand.languages,
        calendar=calendar_of(brand),
        mode=ProfileMode(item.mode),
        closed_notice=bool(item.closed_notice),
        poll_every=item.poll_every,
        connector=connector,
        longest_attempt=REQUESTS_AN_ATTEMPT * _timeout(connector_type, connector_settings),
    )


def _timeout(connector_type: type[Connector], table: Mapping[str, object]) -> timedelta:
    """What ``[connectors.<kind>]`` allows for one whole answer; 45 s where a connector has no such setting."""
    return timedelta(seconds=getattr(connector_type.Settings.model_validate(dict(table)), "total_timeout", 45.0))


def _keep_error(database: Database, name: str, message: str, now: datetime) -> None:
    log.error("%s stays off: %s", name, message)
    with database.write() as session:
        row = profiles.by_name(session, name)
        if row is not None:
            profiles.record_error(session, row.id, message, now=now)
