"""The recorded key trees (tests/connectors/bluesky_shapes.json) are what the makers' own servers answer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import requests

from tests.connectors.bluesky_shapes import RECORDED, Scene, shapes
from tests.real.bluesky_network import Account, BlueskyNetwork, wait_until

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf50"
    "0f0003860180a5c2d4c50000000049454e44ae426082"
)


def test_the_recorded_shapes_are_still_the_servers(
    brand: Account, network: BlueskyNetwork, new_account: Callable[[str], Account]
) -> None:
    scene = played(network, brand, new_account("customer"), new_account("blocker"))
    seen = shapes(asker(brand, network), scene)
    if os.environ.get("DYZUR_RECORD"):
        RECORDED.write_text(json.dumps(seen, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert seen == json.loads(RECORDED.read_text(encoding="utf-8"))


def asker(brand: Account, network: BlueskyNetwork) -> Callable[[str, str, Mapping[str, Any]], tuple[int, Any]]:
    def ask(verb: str, method: str, given: Mapping[str, Any]) -> tuple[int, Any]:
        if given.get("password") == "right":
            given = {**given, "password": brand.password}
        how = {"params": given} if verb == "GET" else {"json": given}
        address = f"{network.pds}/xrpc/{method}"
        with requests.request(verb, address, headers=signed(brand), timeout=30, **how) as answer:
            return answer.status_code, answer.json()

    return ask


def signed(account: Account) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.client.export_session_string().split(':::')[2]}"}


def uploaded(account: Account, network: BlueskyNetwork) -> Any:
    """A blob's reference."""
    address = f"{network.pds}/xrpc/com.atproto.repo.uploadBlob"
    headers = {**signed(account), "Content-Type": "image/png"}
    with requests.post(address, data=PIXEL, headers=headers, timeout=30) as answer:
        return answer.json()["blob"]


def played(network: BlueskyNetwork, brand: Account, customer: Account, blocker: Account) -> Scene:
    """Every kind of post that the simulated world has."""
    for account, name in ((brand, "Sklep"), (customer, "Ola Wrona"), (blocker, "Jan")):
        profile = {"$type": "app.bsky.actor.profile", "displayName": name}
        account.create("app.bsky.actor.profile", profile, "self")

    def mention(author: Account, text: str, **more: Any) -> dict[str, str]:
        return author.post(f"@{brand.handle} {text}", mention=brand, langs=["pl"], **more)

    ours = brand.post("Nowy zapach")
    asked = mention(customer, "gdzie paczka?")
    brand.post("Sprawdzamy", reply_to=(asked, asked))
    below = customer.post("ładny", reply_to=(ours, ours), langs=["pl"])
    customer.post("zobaczcie", quote=ours, langs=["pl"])
    image = {"alt": "pęknięty kubek", "image": uploaded(customer, network)}
    pictured = mention(customer, "taki przyszedł", embed={"$type": "app.bsky.embed.images", "images": [image]})
    gated = mention(customer, "nie odpisujcie")
    gate = {"$type": "app.bsky.feed.threadgate", "post": gated["uri"], "allow": []}
    gate["createdAt"] = customer.client.get_current_time_iso()
    customer.create("app.bsky.feed.threadgate", gate, gated["uri"].split("/")[-1])
    blocking, gone = mention(blocker, "i tyle"), mention(customer, "to usunę")
    wait_until("the last post", lambda: len(notified(brand)) == 7)
    blocker.block(brand)
    customer.delete(gone["uri"])
    wait_until("the block and the deletion", lambda: len(notified(brand)) == 5)
    return Scene(
        did=brand.did,
        handle=brand.handle,
        asked=asked["uri"],
        below=below["uri"],
        pictured=pictured["uri"],
        gated=gated["uri"],
        blocking=blocking["uri"],
        gone=gone["uri"],
    )


def notified(brand: Account) -> list[Any]:
    answer = brand.query("app.bsky.notification.listNotifications", limit=50)["notifications"]
    return [item for item in answer if item["reason"] in {"mention", "quote", "reply"}]
