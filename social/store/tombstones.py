"""Who is not read in again: keyed digests of forgotten accounts, and the addresses of their erased posts.

A digest is HMAC-SHA256 with a random key of this database, so it cannot be turned back into a name, and the lists of two
databases cannot be compared. Whoever holds the database can still try a name that they have already: that is what the desk
itself does with every page that it reads, and nothing that recognises somebody could do without.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import func, select, update
from sqlmodel import Session

from social.domain.post import FetchedPost
from social.store.mapping import Profile
from social.store.rows import among, c, upsert
from social.store.tables import ErasureSaltRow, ForgottenRow, PostRow

#: What an erased address begins with; no network has such ones.
ERASED = "erased:"
#: So many digits of a digest stand in an erased address.
LENGTH = 40
#: What stands before the digest of somebody who was let in again: it recognises nobody any more, but a copy from before
#: is still told by it what was erased (``erasure.carry_over``).
ALLOWED = "allowed:"
#: What stands where a name or a quote stood.
GONE = "[…]"
#: A handle as people write it, with or without its @; a dot or a dash at its end is the sentence's.
_NAME = re.compile(r"(?<![\w@])@?\w+(?:[.\-]\w+)*")
#: An account's number inside an address or a sentence (``at://did:plc:abc/...``), and a part of one (``user:123456``).
_NUMBERS = re.compile(r"\w+(?:[.:\-]\w+)*"), re.compile(r"\w{6,}")
#: Of PostgreSQL's advisory locks: a page that is just being read in waits for an erasure, and the other way round.
_LOCK = 0x64_79_7A_75_72


def salt_of(session: Session) -> bytes | None:
    """``None`` while nobody was ever forgotten here."""
    return session.execute(select(c(ErasureSaltRow).salt)).scalar()


def make_salt(session: Session) -> bytes:
    upsert(session, ErasureSaltRow, [{"id": 1, "salt": secrets.token_bytes(32)}], key=("id",))
    found = salt_of(session)
    assert found is not None
    return found


def digest(salt: bytes, network: str, what: str) -> str:
    message = f"{network}\0{what}".encode("utf-8", "surrogatepass")
    return hmac.digest(salt, message, "sha256").hex()


def handle_digest(salt: bytes, network: str, handle: str) -> str:
    return digest(salt, network, "@" + handle.strip().lstrip("@").casefold())


def erased_address(salt: bytes, network: str, address: str) -> str:
    """What stands for the address of an erased post: always the same for the same one, so that threads still hang together
    and the post is known again."""
    return address if address.startswith(ERASED) else ERASED + digest(salt, network, address)[:LENGTH]


def account_of(salt: bytes | None, network: str, native_id: str) -> str:
    """The same for all rows of one account: who was let in again and wrote has one more, and ``-2`` stands behind the second
    one's erased address, ``-3`` behind the third's."""
    address = native_id if salt is None else erased_address(salt, network, native_id)
    return address[: len(ERASED) + LENGTH] if address.startswith(ERASED) else address


def redact(text: str, gone: Callable[[str], bool]) -> str:
    """``text`` without the names (``@handle``, or a bare one) for which ``gone`` says so. A bare name that could be a common
    word is none."""
    return _NAME.sub(lambda found: GONE if _is_name(found[0]) and gone(found[0]) else found[0], text)


def names_in(text: str) -> set[str]:
    return {name for name in _NAME.findall(text) if _is_name(name)}


def _is_name(word: str) -> bool:
    return word.startswith("@") or (len(word) >= 6 and not word.isalpha())


def lock(session: Session, *, alone: bool) -> None:
    """Hold off erasures (``alone``: also whoever reads a page in) until the transaction ends. SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        taken = func.pg_advisory_xact_lock if alone else func.pg_advisory_xact_lock_shared
        session.execute(select(taken(_LOCK)))


def leave_out(
    session: Session, profile: Profile, posts: Sequence[FetchedPost], *, now: datetime
) -> tuple[list[FetchedPost], int]:
    """``posts`` without those of forgotten authors, without erased ones of authors who were let in again, and without our
    own answers to either; and how many were left out. They are counted at their tombstone and kept nowhere. The names of
    forgotten authors are taken out of what others wrote, as the erasure did: so nothing looks edited to the desk. A raw
    answer that tells of one (a quoted post, a mention) is kept of nobody."""
    lock(session, alone=False)
    salt = salt_of(session)
    if salt is None:
        return list(posts), 0
    digests = {post.author.native_id: digest(salt, profile.network, post.author.native_id) for post in posts}
    stones = _stones(session, profile.network)
    gone = {post.native_id for post in posts if digests[post.author.native_id] in stones}
    met = Counter(digests[post.author.native_id] for post in posts if post.native_id in gone)
    for found, count in met.items():
        columns = c(ForgottenRow)
        session.execute(
            update(ForgottenRow)
            .where(columns.network == profile.network, columns.digest == found)
            .values(left_out=columns.left_out + count, last_left_out_at=now)
        )
    addresses = {post.native_id for post in posts} | {
        post.in_reply_to for post in posts if post.ours and post.in_reply_to
    }
    gone |= _erased(session, profile, salt, addresses)
    kept = [post for post in posts if post.native_id not in gone and not (post.ours and post.in_reply_to in gone)]
    return _without_names(profile.network, salt, stones, kept), len(posts) - len(kept)


def _stones(session: Session, network: str) -> dict[str, str | None]:
    """Digest of the account's number -> of its handle, of all who are not read in."""
    columns = c(ForgottenRow)
    query = select(columns.digest, columns.handle_digest).where(
        columns.network == network, ~columns.digest.startswith(ALLOWED)
    )
    return {row.digest: row.handle_digest for row in session.execute(query)}


def _without_names(
    network: str, salt: bytes, stones: Mapping[str, str | None], posts: Sequence[FetchedPost]
) -> list[FetchedPost]:
    if not stones:
        return list(posts)
    handles = {found for found in stones.values() if found is not None}

    @cache  # a page says the same words again and again
    def is_gone(name: str) -> bool:
        return handle_digest(salt, network, name) in handles

    @cache
    def is_number(word: str) -> bool:
        return digest(salt, network, word) in stones

    kept = []
    for post in posts:
        text = redact(post.text, is_gone)
        # the raw answer holds the text once more
        if text != post.text or _tells(post.raw, is_gone, is_number):
            post = replace(post, text=text, raw={})
        kept.append(post)
    return kept


def _tells(raw: Mapping[str, Any], is_gone: Callable[[str], bool], is_number: Callable[[str], bool]) -> bool:
    """Does a raw answer name a forgotten account? A whole value can be any handle or number (``"handle": "anna"``); in a
    longer one only what cannot be a common word by chance."""
    for said in texts_in(raw):
        alone = said.split(None, 1)
        if len(alone) == 1 and len(alone[0]) >= 2 and (is_gone(alone[0]) or is_number(alone[0])):
            return True
        if any(map(is_gone, names_in(said))):
            return True
        words = {word for shape in _NUMBERS for word in shape.findall(said) if len(word) >= 6 and not word.isalpha()}
        if any(map(is_number, words)):
            return True
    return False


def texts_in(raw: Any) -> Iterator[str]:
    """All texts of a raw answer, however deep, and the numbers that are too long for a count of likes."""
    left = [raw]
    while left:
        value = left.pop()
        if isinstance(value, Mapping):
            left.extend(value.values())
        elif isinstance(value, list | tuple):
            left.extend(value)
        elif isinstance(value, str):
            yield value
        elif isinstance(value, int) and 100_000 <= value < 10**30:
            yield str(value)


def _erased(session: Session, profile: Profile, salt: bytes, addresses: Collection[str]) -> set[str]:
    columns = c(PostRow)
    behind = {erased_address(salt, profile.network, address): address for address in addresses}
    here = columns.network == profile.network, columns.profile_id == profile.id  # as the index begins
    query = select(columns.native_id).where(*here, among(columns.native_id, behind))
    return {behind[found] for found in session.execute(query).scalars()}
