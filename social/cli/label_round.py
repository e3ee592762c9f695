"""The round itself: a post, our guess, a key; and every answer is kept before the next post is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import Enum
from typing import Any

from social.cli.command import say
from social.cli.keys import Keys
from social.cli.wording import indented, language_name, moment, printable
from social.domain.assessment import Flag, Head, Sentiment, Urgency
from social.domain.errors import Conflict, UsageError
from social.domain.label import ASKED, TOPICS, Answer
from social.engine import labelling
from social.engine.label_file import masked
from social.engine.labelling import Held
from social.ports import Clock
from social.store.label_picks import Pick, Wish
from social.store.label_rows import Shown
from social.store.session import Database

#: What each key says, head by head: the same digits everywhere, so that one hand rests on them.
CHOICES: Mapping[Head, Mapping[str, Any]] = {
    Head.SENTIMENT: dict(zip("123", Sentiment, strict=True)),
    Head.URGENCY: dict(zip("1234", Urgency, strict=True)),
    Head.NEEDS_REPLY: {"1": True, "2": False},
}
LEGEND = "Enter our guess   x leave open   s skip   u undo   t topics   f flags   q quit   ? all keys"
HELP = f"""\
  1 2 3 4  the answer that stands behind the digit
  Enter    our guess is right
  x        leave this question open: nobody could tell
  s        skip the post; nothing of it is kept
  u        undo: the answer before this one, also that of the post before
  t        what it is about, as words: {", ".join(TOPICS)}
  f        what it asks for or warns of: {", ".join(Flag)}
  q        quit; everything that you answered is kept"""
#: More of one text than this is not read in a round.
_LONGEST = 2_000


class Turn(Enum):
    DONE = "done"
    SKIP = "skip"
    BACK = "back"
    QUIT = "quit"


@dataclass(slots=True)
class Tally:
    kept: int = 0
    skipped: int = 0
    lost: int = 0  # others were quicker, or the post went
    quit: bool = False


@dataclass(slots=True, kw_only=True)
class Round:
    """One person's walk through ``picks``."""

    database: Database
    clock: Clock
    zone: tzinfo
    user: str
    wish: Wish
    picks: Sequence[Pick]
    keys: Keys
    tally: Tally = field(default_factory=Tally)

    @property
    def heads(self) -> tuple[Head, ...]:
        return ASKED if self.wish.head is None else (self.wish.head,)

    def run(self) -> Tally:
        place, held = 0, None
        kept: list[tuple[int, Held]] = []
        while place < len(self.picks) and not self.tally.quit:
            held = held or self._take(place)
            if held is None:
                place += 1
                continue
            turn, answer = self._ask(held, place)
            if turn is Turn.BACK and not kept:
                say("  Nothing to undo.")
                continue
            if turn is Turn.BACK:
                labelling.release(self.database, held)
                place, held = kept.pop()
                self.tally.kept -= 1
                if not labelling.undo(self.database, held):
                    say("  That post went away meanwhile, and its label with it.")
                    place, held = place + 1, None
                continue
            self.tally.quit = turn is Turn.QUIT
            if turn is Turn.SKIP or answer.empty:
                labelling.release(self.database, held)
                self.tally.skipped += turn is not Turn.QUIT
            elif self._keep(held, answer):
                kept.append((place, held))
            place, held = place + 1, None
        return self.tally

    def _take(self, place: int) -> Held | None:
        held = labelling.take(self.database, self.picks[place], self.wish, user=self.user, now=self.clock.now())
        if held is None:
            self.tally.lost += 1
            say(f"\n{place + 1} of {len(self.picks)}: somebody else has it, or it changed. On to the next.")
        return held

    def _keep(self, held: Held, answer: Answer) -> bool:
        try:
            labelling.keep(self.database, held, answer, now=self.clock.now())
        except Conflict as error:
            say(f"  {error}")
            self.tally.lost += 1
            return False
        self.tally.kept += 1
        return True

    def _ask(self, held: Held, place: int) -> tuple[Turn, Answer]:
        """All questions about one post. Whoever is interrupted holds nothing afterwards."""
        say(f"\n{place + 1} of {len(self.picks)}  " + "\n".join(described(held.shown, self.heads, self.zone)))
        said: dict[str, Any] = {}
        at = 0
        try:
            while at < len(self.heads):
                head = self.heads[at]
                key = self._key(head, held.shown)
                if key in ("t", "f"):
                    self._words(key, said)
                elif key == "u" and at > 0:
                    at -= 1
                    said.pop(self.heads[at].value, None)
                elif key in _ENDS:
                    return _ENDS[key], Answer() if key == "s" else Answer(**said)
                else:
                    said[head.value] = None if key == "x" else _chosen(head, key, held.shown)
                    say(f"    {'left open' if key == 'x' else _word(said[head.value])}")
                    at += 1
        except KeyboardInterrupt:
            labelling.release(self.database, held)
            raise
        return Turn.DONE, Answer(**said)

    def _key(self, head: Head, shown: Shown) -> str:
        """A key that means something here."""
        choices = CHOICES[head]
        digits = "  ".join(f"{key} {_word(value)}" for key, value in choices.items())
        say(f"  {_NAMES[head]}?  {digits}   [Enter: {_word(_guess(head, shown))}]")
        while True:
            key = self.keys.key()
            if key is None:
                return "q"
            if key in choices or key in ("", "x", "t", "f", *_ENDS):
                return key
            say(HELP if key == "?" else f"  That key says nothing here.  {LEGEND}")

    def _words(self, key: str, said: dict[str, Any]) -> None:
        name, known = ("topics", TOPICS) if key == "t" else ("flags", tuple(Flag))
        line = self.keys.line(f"  {name}, with commas between them (none: Enter): ")
        words = frozenset(filter(None, (word.strip().lower() for word in (line or "").split(","))))
        try:
            said[name] = Answer(topics=words).topics if key == "t" else frozenset(map(_flag, words))
        except UsageError as error:
            say(f"  {error}")
        else:
            say(f"  {name}: {', '.join(word for word in known if word in words) or 'none'}")


_ENDS = {"s": Turn.SKIP, "u": Turn.BACK, "q": Turn.QUIT}
_NAMES = {Head.SENTIMENT: "Sentiment", Head.URGENCY: "Urgency", Head.NEEDS_REPLY: "Needs an answer"}


def _flag(word: str) -> Flag:
    try:
        return Flag(word)
    except ValueError:
        raise UsageError(f"{printable(word)!r} is no flag.", next_step=f"There are: {', '.join(Flag)}.") from None


def _guess(head: Head, shown: Shown) -> Any:
    return getattr(shown.judged, head.value)


def _chosen(head: Head, key: str, shown: Shown) -> Any:
    return CHOICES[head][key] if key else _guess(head, shown)


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value) or str(value)


# --- what is shown ------------------------------------------------------------------------------------------------------


def described(shown: Shown, heads: Sequence[Head], zone: tzinfo) -> Iterator[str]:
    """The post without its author, what it answers, and what was judged of it and why."""
    judged = shown.judged
    private = ", private" if shown.private else ""
    yield f"{shown.profile} ({shown.network}{private}), {moment(shown.at, zone)}, {language_name(judged.language)}"
    if shown.answered_voice is not None:
        yield f"  It answers {shown.answered_voice.value}:"
        yield indented(_cut(masked(shown.answered, shown.our_handle)), by=6)
    yield indented(_cut(masked(shown.text, shown.our_handle)), by=4)
    for head in heads:
        unsure = "  (unsure)" if head in judged.abstained else ""
        yield f"  Our guess: {_NAMES[head].lower()} {_word(_guess(head, shown))}{_shares(head, shown)}{unsure}"
    if judged.flags:
        yield f"  Flags: {', '.join(sorted(judged.flags))}"
    for reason in judged.reasons:
        if reason.source == "rule":
            words = f': "{printable(masked(reason.evidence, shown.our_handle))}"' if reason.evidence else ""
            yield f"  Rule {reason.name}{words}{f' -> {reason.effect}' if reason.effect else ''}"


def _shares(head: Head, shown: Shown) -> str:
    of: dict[Head, Mapping[Any, float]] = {
        Head.SENTIMENT: shown.judged.sentiment_scores,
        Head.URGENCY: shown.judged.urgency_scores,
    }
    told = ", ".join(f"{label.value} {score:.0%}" for label, score in of.get(head, {}).items())
    return f"  ({told})" if told else ""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} [...]"


def as_json(pick: Pick, shown: Shown) -> dict[str, Any]:
    judged = shown.judged
    return {
        "post": pick.post_id,
        "picked": pick.picked,
        "profile": shown.profile,
        "network": shown.network,
        "at": shown.at,
        "text": masked(shown.text, shown.our_handle),
        "answers": masked(shown.answered, shown.our_handle) if shown.answered_voice else None,
        "language": judged.language,
        "sentiment": judged.sentiment,
        "sentiment_scores": judged.sentiment_scores,
        "urgency": judged.urgency,
        "urgency_scores": judged.urgency_scores,
        "needs_reply": judged.needs_reply,
        "flags": judged.flags,
        "abstained": judged.abstained,
        "may_teach": labelling.may_teach(pick.network, private=pick.private),
        "model": str(judged.model),
    }
