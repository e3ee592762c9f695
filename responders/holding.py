"""The holding statement of a crisis, before a person approves it: a fixed text, or a person's own words held to the same
rules as every text that a machine sends."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from responders import compose, guard
from social.domain.reply import Composed, ReplyKind, SentBy
from social.ports import ReplyRules

#: "automatyczny", "automat", "automated", "automatically": every automatic text says that it is one (EU AI Act, art. 50).
_DISCLOSURE = re.compile(r"\bautomat", re.IGNORECASE)
_ANY_TIME, _ANY_ZONE = datetime.min.replace(tzinfo=UTC), ZoneInfo("UTC")


def problems_in(language: str) -> dict[str, str]:
    """What a statement may name as the trouble: key -> words. Raises ``LookupError`` where there are no texts."""
    return dict(compose.texts_in(language).problems)


def prepare(*, language: str, brand: str, rules: ReplyRules, problem: str | None = None) -> Composed | None:
    """The text in ``language``; ``None`` where there is none that fits. ``problem`` is a key of ``problems_in``. The same
    text serves at any time: it names none."""
    if language not in compose.languages():
        return None
    return compose.compose(
        ReplyKind.HOLDING,
        language=language,
        brand=brand,
        at=_ANY_TIME,
        timezone=_ANY_ZONE,
        rules=rules,
        problem=None if problem is None else problems_in(language)[problem],
    )


def objections(text: str, *, rules: ReplyRules, private_channel: bool) -> list[str]:
    """Why ``text`` cannot be sent by a machine to everybody who complains, formal complaints included; empty where it can."""
    found = guard.check(text, rules=rules, sent_by=SentBy.ROBOT, formal=True, private_channel=private_channel)
    messages = [problem.message for problem in found]
    if text.strip() and not _DISCLOSURE.search(text):
        messages.append(
            'The text does not say that it is sent automatically; add "(wysłane automatycznie)" or "(sent automatically)".'
        )
    return list(dict.fromkeys(messages))
