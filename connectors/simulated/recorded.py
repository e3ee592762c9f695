"""A world that is a recording: given posts at their own times on one network, and nobody else who writes.

Whoever drives the desk over it sees how it would have met that history. Customers do not react to what the desk says;
they said what they said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from connectors.simulated.arrivals import RecordedPost
from connectors.simulated.library import Library, WorldOptions, load_library
from connectors.simulated.world import World
from social.domain.post import PostKind

NOBODY_ELSE = WorldOptions(posts_per_day=0, history_posts_per_day=0, history_days=0, outage="none", scene=False)


def recorded_world(
    network: str, posts: Sequence[RecordedPost], *, start: datetime, library: Library | None = None
) -> World:
    """``posts`` on ``network`` from ``start`` (aware, before the first of them). In a customer's text the shop is named
    as ``library`` names it there (see ``brand_handle``).
    """
    known = library or load_library()
    silent = replace(known, members={}, texts=(), shop_texts=(), scene=(), networks={network: known.networks[network]})
    world = World(start=start, options=NOBODY_ELSE, library=silent)
    world.play(network, posts)
    return world


def simulated_networks(library: Library | None = None) -> dict[str, bool]:
    """Every network that can be simulated, and whether customers reach a shop there by naming it."""
    known = library or load_library()
    return {name: PostKind.MENTION in plan.ways for name, plan in known.networks.items()}


def brand_handle(network: str, library: Library | None = None) -> str:
    """How customers name the shop on ``network``, without ``@``."""
    return (library or load_library()).networks[network].brand_handle
