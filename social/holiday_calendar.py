"""Public holidays by country, from the ``holidays`` package, behind a plain function that the domain can take."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date


def holiday_lookup(country: str) -> Callable[[date], str | None]:
    """A function that names a day's public holiday, or gives ``None``. ``country`` is ISO 3166-1 alpha-2, with a
    subdivision after a dash where wanted (``PL``, ``DE-BY``). Raises ``ValueError`` for a country that is not known.

    24 December is a Polish holiday since 2025 (Dz.U. 2024 poz. 1965); the package knows it.
    """
    import holidays  # a tenth of a second; only what answers questions about days needs it

    code, _, subdivision = country.strip().upper().partition("-")
    try:
        known = holidays.country_holidays(code, subdiv=subdivision or None)
    except (NotImplementedError, KeyError) as error:
        raise ValueError(f'no holidays are known for "{country}"; use a code like "PL" or "DE-BY"') from error

    def lookup(day: date) -> str | None:
        return known.get(day)

    return lookup
