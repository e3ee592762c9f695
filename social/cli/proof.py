"""What is shown before a profile is trusted: who it is, what it may do and until when, what is there, what it will cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.setup import Guide
from social.cli.command import columns
from social.cli.wording import moment, printable
from social.domain.post import FetchedPost
from social.ports import Charge, Connector, Inspection, Page, Price
from social.store.queue import excerpt

LATEST = 3
MONTH = timedelta(days=30)
#: A day's posts say little about a month, and an hour's nothing.
SHORTEST_PACE = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """An estimate of a month in thousandths of a US dollar, at the pace of the ``count`` posts that were seen: ``None``
    where there were none. ``replies`` answers every customer's post once, which is the most that the robot does."""

    count: int
    reads: int | None = None
    replies: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    inspection: Inspection
    latest: tuple[FetchedPost, ...]
    cost: Cost
    prices: tuple[Price, ...]


def prove(connector: Connector, *, now: datetime) -> Proof:
    """Ask the network: who are we, and its newest page. Raises ``ConnectorError``."""
    inspection = connector.inspect()
    page = connector.fetch(None)
    newest = sorted(page.posts, key=lambda post: post.created_at, reverse=True)
    customers = [post for post in newest if not post.ours]
    return Proof(
        inspection=inspection,
        latest=tuple((customers or newest)[:LATEST]),
        cost=expected_cost(connector.prices, page, now=now),
        prices=connector.prices,
    )


def expected_cost(prices: Sequence[Price], page: Page, *, now: datetime) -> Cost:
    if not page.posts:
        return Cost(count=0)
    amounts = {price.charge: price.amount for price in prices}
    span = max(now - min(post.created_at for post in page.posts), SHORTEST_PACE)
    customers = sum(not post.ours for post in page.posts)

    def monthly(items: int, charge: Charge) -> int:
        return round(items * amounts.get(charge, 0) * (MONTH / span))

    return Cost(
        count=len(page.posts),
        reads=monthly(len(page.posts), Charge.OWN_READ),
        replies=monthly(customers, Charge.REPLY),
    )


def as_text(proof: Proof, guide: Guide, words: Mapping[str, str], *, zone: ZoneInfo, polish: bool) -> str:
    """The proof for people, in their language."""
    found = proof.inspection
    identity = found.identity
    named = " ".join(filter(None, (identity.display_name, f"@{identity.handle}" if identity.handle else None)))
    rows = [
        (words["account"], printable(f"{named} ({identity.native_id})" if named else identity.native_id)),
        (words["access"], _access(found, words)),
        (
            words["ends"],
            words["never"] if found.expires_at is None else f"{found.expires_at.astimezone(zone):%Y-%m-%d}",
        ),
        *((words["note"], guide.notes.get(key, key)) for key in found.notes),
    ]
    shown = [_line(post, words, zone, polish=polish) for post in proof.latest] or [words["nothing"]]
    rows += [(words["latest"] if number == 0 else "", line) for number, line in enumerate(shown)]
    rows += [(words["cost"] if number == 0 else "", line) for number, line in enumerate(_cost(proof, words))]
    return columns(rows)


def _access(found: Inspection, words: Mapping[str, str]) -> str:
    if found.granted is None:
        return words["untold"]
    if found.missing:
        return words["missing"].format(missing=", ".join(found.missing))
    return words["enough"].format(granted=", ".join(found.needed) or ", ".join(sorted(found.granted)))


def _line(post: FetchedPost, words: Mapping[str, str], zone: ZoneInfo, *, polish: bool) -> str:
    author = words["ours"] if post.ours else post.author.handle or post.author.display_name or post.author.native_id
    return printable(f"{moment(post.created_at, zone, polish=polish)}  {author}: {excerpt(post.text)}")


def _cost(proof: Proof, words: Mapping[str, str]) -> list[str]:
    if not proof.prices:
        return [words["free"]]
    amounts = {price.charge: price.amount for price in proof.prices}
    cost, price = proof.cost, proof.prices[0]
    if cost.reads is None or cost.replies is None:
        told = words["no_pace"].format(
            read=f"{amounts.get(Charge.OWN_READ, 0) / 1000:.3f}", reply=f"{amounts.get(Charge.REPLY, 0) / 1000:.3f}"
        )
    else:
        total, reads, replies = (
            f"{amount / 1000:.2f}" for amount in (cost.reads + cost.replies, cost.reads, cost.replies)
        )
        told = words["pace"].format(total=total, reads=reads, replies=replies, count=cost.count)
    return [told, words["prices"].format(day=price.as_of.isoformat(), source=price.source)]


def as_json(proof: Proof) -> dict[str, Any]:
    found, cost = proof.inspection, proof.cost
    monthly = None if cost.reads is None or cost.replies is None else (cost.reads + cost.replies) / 1000
    return {
        "account": {
            "id": found.identity.native_id,
            "handle": found.identity.handle,
            "name": found.identity.display_name,
        },
        "needed": list(found.needed),
        "granted": None if found.granted is None else sorted(found.granted),
        "missing": list(found.missing),
        "expires_at": found.expires_at,
        "notes": list(found.notes),
        "latest": [
            {
                "created_at": post.created_at,
                "author": post.author.handle or post.author.native_id,
                "ours": post.ours,
                "text": post.text,
                "permalink": post.permalink,
            }
            for post in proof.latest
        ],
        "monthly_cost_usd": monthly if proof.prices else 0,
        "prices": list(proof.prices),
    }
