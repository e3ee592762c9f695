"""Polish and English: catalogues (English is the source), plural forms, dates and spans."""

from __future__ import annotations

import gettext
import io
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cache
from importlib import resources

LANGUAGES = ("pl", "en")


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """The translations into ``language``, read from its .po file, so that no compiled file can lag behind."""
    if language == "en":
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    text = (resources.files("social.web") / "locale" / f"{language}.po").read_bytes()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(text), locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@dataclass(frozen=True, slots=True)
class Words:
    """One reader's language and time zone."""

    language: str
    zone: tzinfo

    def __call__(self, message: str, **values: object) -> str:
        text = catalogue(self.language).gettext(message)
        return text % values if values else text

    def count(self, one: str, many: str, number: int, **values: object) -> str:
        """``count("%(count)d message", "%(count)d messages", 3)`` in the language's own plural forms."""
        return catalogue(self.language).ngettext(one, many, number) % {"count": number, **values}

    def moment(self, at: datetime, zone: tzinfo | None = None) -> str:
        """``Fri 20 Nov, 16:45`` / ``pt. 20 lis, 16:45``."""
        from babel.dates import format_datetime

        return format_datetime(at.astimezone(zone or self.zone), "EEE d MMM, HH:mm", locale=self.language)

    def day(self, at: datetime, zone: tzinfo | None = None) -> str:
        """``Saturday 21 November 2026``."""
        from babel.dates import format_datetime

        return format_datetime(at.astimezone(zone or self.zone), "EEEE d MMMM y", locale=self.language)

    def clock(self, at: datetime, zone: tzinfo | None = None) -> str:
        return f"{at.astimezone(zone or self.zone):%H:%M}"

    def span(self, length: timedelta) -> str:
        """``25 min``, ``1 h 10 min``, ``3 d 4 h``, whichever way it goes."""
        minutes = int(abs(length).total_seconds() // 60)
        if minutes < 60:
            return self("%(minutes)d min", minutes=minutes)
        if minutes < 24 * 60:
            return self("%(hours)d h %(minutes)d min", hours=minutes // 60, minutes=minutes % 60)
        return self("%(days)d d %(hours)d h", days=minutes // 1440, hours=minutes % 1440 // 60)

    def number(self, value: float, digits: int = 0) -> str:
        from babel.numbers import format_decimal

        return format_decimal(value, format=f"#,##0{'.' + '0' * digits if digits else ''}", locale=self.language)


def words_for(chosen: str | None, accept_language: str, *, fallback: str, zone: tzinfo) -> Words:
    """``chosen`` by the person, else what the browser prefers, else ``fallback``, else English."""
    wanted = [chosen or "", *_preferred(accept_language), fallback]
    return Words(next((language for language in wanted if language in LANGUAGES), "en"), zone)


def _preferred(accept_language: str) -> list[str]:
    """``pl-PL,pl;q=0.9,en;q=0.8`` -> pl, pl, en."""
    rated = []
    for place, part in enumerate(accept_language[:200].split(",")):
        name, _, quality = part.strip().partition(";q=")
        try:
            rated.append((-float(quality or 1), place, name.split("-")[0].lower()))
        except ValueError:
            continue
    return [name for _, _, name in sorted(rated)]
