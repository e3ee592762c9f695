"""Another process takes in a post and is gone: ``python -m tests.machines.remember URL PROFILE``."""

from __future__ import annotations

import sys

from social.clock import machine_now
from social.store import profiles
from social.store.session import Database
from tests.cast import PIOTR
from tests.factories import post, remembered

database = Database(sys.argv[1])
with database.read() as session:
    shop = profiles.by_name(session, sys.argv[2])
assert shop is not None
remembered(database, shop, post("Gdzie moja druga paczka?", when=machine_now(), by=PIOTR))
database.close()
