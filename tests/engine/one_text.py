"""One customer who asked, and one text that is due: what most tests of the send-out begin with."""

from __future__ import annotations

from social.clock import SteppedClock
from social.domain.post import FetchedPost, ProfileMode
from social.engine import line
from social.engine.desk import Desk
from social.store.mapping import Profile
from social.store.session import Database
from social.store.tables import ConversationRow, PostRow, ReplyRow
from tests.cast import at
from tests.factories import case, desk_for, planned, post, profile, remembered, row_of
from tests.fakes import FakeConnector
from tests.story.telling import case_of

ASKED = at("2026-11-20 10:00")  # a Friday
DUE = at("2026-11-20 10:40")
WORDS = "Paczka wyjechała dziś rano, będzie jutro."


class Told:
    """Anna asked at ten; her case waits, and the robot's acknowledgement lies in the outbox for 10:40."""

    def __init__(
        self,
        database: Database,
        clock: SteppedClock,
        network: FakeConnector,
        *,
        mode: ProfileMode = ProfileMode.ACKNOWLEDGE,
    ) -> None:
        self.database, self.clock, self.network = database, clock, network
        self.desk = desk_for(database, clock, network, mode=mode)
        self.shop: Profile = profile(database, mode=mode)
        self.asked: FetchedPost = network.publishes(post(when=ASKED))
        self.post_id = remembered(database, self.shop, self.asked)
        self.case_id = case(database, self.post_id)
        self.reply_id = planned(database, self.post_id)

    def deliver(self, desk: Desk | None = None) -> dict[str, object]:
        """The send-out of 10:40 (or of whatever the clock shows, if it is later); the reply as it stands then."""
        self.clock.advance_to(DUE)
        line.send_out(desk or self.desk, self.clock.now())
        return self.reply

    @property
    def reply(self) -> dict[str, object]:
        return row_of(self.database, ReplyRow, self.reply_id)

    @property
    def cap(self) -> object:
        conversation_id = row_of(self.database, PostRow, self.post_id)["conversation_id"]
        return row_of(self.database, ConversationRow, conversation_id)["last_automated_at"]

    @property
    def note(self) -> str:
        return case_of(self.database).note or ""
