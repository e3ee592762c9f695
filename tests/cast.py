"""The cast of all stories: one shop, its people, its customers, and the hours in which somebody is there."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from social.domain.hours import BusinessCalendar, parse_weekly
from social.domain.post import Author
from social.holiday_calendar import holiday_lookup

WARSAW = ZoneInfo("Europe/Warsaw")


def at(text: str) -> datetime:
    """``at("2026-11-20 16:45")``: what the clock on the shop's wall shows. 2026-11-20 is a Friday."""
    return datetime.fromisoformat(text).replace(tzinfo=WARSAW)


#: The shop, as its own account on the network.
SHOP = Author(native_id="shop-1", handle="fikcja", display_name="Fikcja")
BRAND = "Fikcja"
PROFILE = "fikcja-net"

#: Customers: Anna asks, Piotr waits too, Zenek is the owner of a machine that writes by itself.
ANNA = Author(native_id="customer-anna", handle="anna.n", display_name="Anna N.")
PIOTR = Author(native_id="customer-piotr", handle="piotrek", display_name="Piotr Z.")
ZENEK = Author(native_id="bot-zenek", handle="zenek_bot", display_name="Zenek", is_bot=True)

#: People of the shop who answer (``users``).
MAREK = "marek"
HANNA = "hanna"

#: Monday to Friday 9 to 17, closed on Polish holidays.
OFFICE = BusinessCalendar(
    timezone=WARSAW, weekly=parse_weekly({"mon-fri": ["09:00-17:00"]}), holiday=holiday_lookup("PL")
)
