"""The written material of the simulated world: what a loader may rely on, and what no text may carry."""

import json
import re
import tomllib
import unicodedata
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

TEXTS = Path(__file__).resolve().parents[2] / "connectors" / "simulated" / "texts"

ROLES = {
    "question", "complaint", "praise", "thanks", "chatter", "repeat", "sarcasm", "wants_human", "opt_out", "outage",
    "formal", "safety", "fraud", "legal", "press", "self_harm", "spam", "bot", "mention_only", "native_answered",
    "anger",
}  # fmt: skip
FLAGS = {
    "wants_human", "opt_out", "formal", "safety", "self_harm", "legal", "fraud", "minors", "press", "rising_anger",
    "outage", "repeat_contact", "spam",
}  # fmt: skip
FLAG_OF_ROLE = {
    "wants_human": "wants_human", "opt_out": "opt_out", "formal": "formal", "safety": "safety", "fraud": "fraud",
    "legal": "legal", "press": "press", "self_harm": "self_harm", "spam": "spam", "outage": "outage",
    "anger": "rising_anger", "repeat": "repeat_contact",
}  # fmt: skip
LEAST_OF_ROLE = {
    "outage": 25, "sarcasm": 15, "wants_human": 12, "native_answered": 12, "formal": 10, "opt_out": 8, "self_harm": 2,
    "repeat": 5, "spam": 5, "bot": 2, "mention_only": 5, "anger": 4, "press": 2, "legal": 3, "fraud": 4, "safety": 8,
}  # fmt: skip
NETWORKS = {"twitter", "facebook", "bluesky"}
NEEDED = {"key", "lang", "role", "text", "sentiment", "urgency", "flags"}
OPTIONAL = {
    "author", "networks", "photo", "follow_ups", "edit", "delete_after_minutes", "owner_answer", "thanks", "repeat_of",
}  # fmt: skip

X_LIMIT = 280  # weighted characters
BLUESKY_LIMIT = 300  # graphemes; code points are never fewer
LONGEST_X_MENTION = len("@") + 15 + len(" ")  # an X handle has at most 15 characters
LONGEST_BLUESKY_MENTION = len("@sklep-lawenda.bsky.social ")
X_LIGHT_RANGES = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))  # twitter-text v3: these weigh 1, the rest 2

LINK = re.compile(r"https?:|www\.|\w\.(?:pl|com|net|org|eu|shop|info|io|co|uk)\b", re.IGNORECASE)
NUMBER_OF_A_PERSON_OR_ACCOUNT = re.compile(r"(?:\d[ .\-/()]?){9,}")
FEMININE = re.compile(r"\w+[aiuyęąd](?:łam|łabym)\b", re.IGNORECASE)
MASCULINE = re.compile(r"\w+[aiuyęą](?:łem|łbym)\b", re.IGNORECASE)
NOT_A_GENDER = {"działam", "wysyłam", "przesyłam", "działem", "materiałem"}  # present tense and nouns


def read_lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (TEXTS / name).read_text(encoding="utf-8").splitlines()]


CUSTOMERS = read_lines("customers.jsonl")
SHOP_POSTS = read_lines("shop.jsonl")
CAST = tomllib.loads((TEXTS / "cast.toml").read_text(encoding="utf-8"))
PEOPLE = {customer["id"]: customer for customer in CAST["customer"]}
BY_KEY = {record["key"]: record for record in CUSTOMERS}


def own_texts(record: dict[str, Any]) -> list[str]:
    """Everything the customer writes, opening post first."""
    texts = [record["text"], *(later["text"] for later in record.get("follow_ups", []))]
    if "edit" in record:
        texts.append(record["edit"]["text"])
    if "thanks" in record:
        texts.append(record["thanks"])
    return texts


def every_text(record: dict[str, Any]) -> list[str]:
    answer = [record["owner_answer"]["text"]] if "owner_answer" in record else []
    return own_texts(record) + answer


def x_weight(text: str) -> int:
    return sum(1 if any(low <= ord(c) <= high for low, high in X_LIGHT_RANGES) else 2 for c in text)


def skeleton(text: str) -> str:
    """Letters and digits only, lower case, without diacritics; an emoji-only text stays as it is."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("ł", "l"))
    return "".join(c for c in plain if c.isalnum()) or text


def gendered(pattern: re.Pattern[str], record: dict[str, Any]) -> set[str]:
    return {word.lower() for text in own_texts(record) for word in pattern.findall(text)} - NOT_A_GENDER


def test_it_keeps_the_three_files_readable_and_unescaped() -> None:
    for name in ("customers.jsonl", "shop.jsonl", "cast.toml"):
        raw = (TEXTS / name).read_text(encoding="utf-8")
        assert "\\u" not in raw and "\ufffd" not in raw, name
        assert raw == unicodedata.normalize("NFC", raw), name
        assert raw.endswith("\n") and "\n\n\n" not in raw, name


def test_it_describes_each_opening_post_in_the_agreed_words() -> None:
    for record in CUSTOMERS:
        key = record["key"]
        assert NEEDED <= record.keys() <= NEEDED | OPTIONAL, key
        assert record["lang"] in {"pl", "en"}, key
        assert record["role"] in ROLES, key
        assert record["sentiment"] in {"negative", "neutral", "positive"}, key
        assert record["urgency"] in {"critical", "high", "normal", "low"}, key
        assert set(record["flags"]) <= FLAGS and len(record["flags"]) == len(set(record["flags"])), key
        assert set(record.get("networks", NETWORKS)) <= NETWORKS and record.get("networks") != [], key
        assert record["role"] not in FLAG_OF_ROLE or FLAG_OF_ROLE[record["role"]] in record["flags"], key
        assert ("owner_answer" in record) == (record["role"] == "native_answered"), key
        assert ("repeat_of" in record) == (record["role"] == "repeat"), key
        assert record.get("photo", "x").strip(), key
        for text in every_text(record):
            assert text and text == text.strip(), key


def test_it_fits_every_network_where_the_text_may_appear() -> None:
    shop_on_x = x_weight(f"@{CAST['shop']['handle']} ")
    for record in CUSTOMERS:
        if record.get("networks") == ["facebook"]:
            continue
        for text in own_texts(record):
            assert shop_on_x + x_weight(text) <= X_LIMIT, (record["key"], text)
            assert LONGEST_BLUESKY_MENTION + len(text) <= BLUESKY_LIMIT, (record["key"], text)
        if "owner_answer" in record:
            assert LONGEST_X_MENTION + x_weight(record["owner_answer"]["text"]) <= X_LIMIT, record["key"]


def test_it_carries_no_link_no_address_and_no_number_of_a_person() -> None:
    for record in CUSTOMERS + SHOP_POSTS:
        for text in [*every_text(record), record.get("photo", "")]:
            assert not LINK.search(text), (record["key"], text)
            assert "@" not in text, (record["key"], text)
            assert not NUMBER_OF_A_PERSON_OR_ACCOUNT.search(text), (record["key"], text)


def test_it_has_more_than_three_hundred_distinct_opening_posts() -> None:
    assert len(CUSTOMERS) >= 330
    assert len(BY_KEY) == len(CUSTOMERS)
    doubles = [text for text, times in Counter(skeleton(r["text"]) for r in CUSTOMERS).items() if times > 1]
    assert doubles == []


def test_it_writes_nothing_twice_anywhere() -> None:
    texts = [skeleton(text) for record in CUSTOMERS for text in every_text(record)]
    texts += [skeleton(record["text"]) for record in SHOP_POSTS]
    assert [text for text, times in Counter(texts).items() if times > 1] == []


def test_it_uses_no_sentence_pattern_with_slots() -> None:
    """Two posts of people may not share a third of their three-word runs; a price robot of course repeats itself."""
    runs: dict[str, set[tuple[str, ...]]] = {}
    for record in CUSTOMERS:
        words = re.findall(r"\w+", record["text"].casefold())
        if record["role"] != "bot" and len(words) >= 8:
            runs[record["key"]] = {tuple(words[i : i + 3]) for i in range(len(words) - 2)}
    alike = [
        (one, other)
        for (one, ours), (other, theirs) in combinations(runs.items(), 2)
        if len(ours & theirs) * 3 > min(len(ours), len(theirs))
    ]
    assert alike == []


def test_it_mixes_languages_and_moods_like_a_real_profile() -> None:
    total = len(CUSTOMERS)
    polish = [record for record in CUSTOMERS if record["lang"] == "pl"]
    assert 0.75 <= len(polish) / total <= 0.85
    longer = [record["text"] for record in polish if sum(c.isalpha() for c in record["text"]) >= 20]
    bare = [text for text in longer if not re.search("[ąćęłńóśźż]", text.casefold())]
    assert 0.20 <= len(bare) / len(longer) <= 0.30

    roles = Counter(record["role"] for record in CUSTOMERS)
    assert set(roles) == ROLES
    for role, least in LEAST_OF_ROLE.items():
        assert roles[role] >= least, role
    assert 0.22 <= roles["question"] / total <= 0.35
    assert 0.20 <= sum(roles[r] for r in ("complaint", "sarcasm", "anger", "formal")) / total <= 0.32
    assert 0.15 <= sum(roles[r] for r in ("praise", "chatter", "thanks")) / total <= 0.25
    assert sum(record["urgency"] == "critical" or record["role"] in {"safety", "fraud"} for record in CUSTOMERS) >= 15
    assert {record["sentiment"] for record in CUSTOMERS} == {"negative", "neutral", "positive"}


def test_it_calls_nothing_dangerous_unhurried_and_no_praise_urgent() -> None:
    for record in CUSTOMERS:
        if record["role"] in {"safety", "fraud", "legal", "press", "self_harm", "outage"}:
            assert record["urgency"] in {"critical", "high"}, record["key"]
        if record["role"] in {"praise", "thanks", "chatter", "mention_only", "spam", "bot"}:
            assert record["urgency"] == "low", record["key"]
            assert record["sentiment"] != "negative", record["key"]
        if record["role"] == "self_harm":
            assert record["urgency"] == "critical", record["key"]
        if record["role"] in {"complaint", "sarcasm", "anger"}:
            assert record["sentiment"] == "negative", record["key"]


def test_it_holds_every_shape_a_post_can_have() -> None:
    assert sum("photo" in record for record in CUSTOMERS) >= 20
    assert sum("follow_ups" in record for record in CUSTOMERS) >= 15
    assert sum("edit" in record for record in CUSTOMERS) >= 5
    assert sum("delete_after_minutes" in record for record in CUSTOMERS) >= 4
    assert sum("thanks" in record for record in CUSTOMERS) >= 30
    assert sum(len(record["text"]) >= 800 for record in CUSTOMERS) >= 4
    assert sum(len(record["text"].split()) <= 2 for record in CUSTOMERS) >= 10
    assert sum(not any(c.isalnum() for c in record["text"]) for record in CUSTOMERS) >= 5
    assert {record["lang"] for record in CUSTOMERS if record["role"] == "outage"} == {"pl", "en"}
    assert any("minors" in record["flags"] for record in CUSTOMERS)


def test_it_lets_time_run_forward_inside_a_conversation() -> None:
    for record in CUSTOMERS:
        minutes = [later["after_minutes"] for later in record.get("follow_ups", [])]
        assert minutes == sorted(set(minutes)) and all(type(m) is int and m > 0 for m in minutes), record["key"]
        for name in ("edit", "owner_answer"):
            if name in record:
                moment = record[name]["after_minutes"]
                assert type(moment) is int and moment > 0, record["key"]
        if "edit" in record:
            assert record["edit"]["text"] != record["text"], record["key"]
        assert record.get("delete_after_minutes", 1) > 0
        # Somebody who deleted the question is not there to thank for the answer.
        assert not {"delete_after_minutes", "thanks"} <= record.keys(), record["key"]


def test_it_refers_only_to_people_and_posts_that_exist() -> None:
    order = list(BY_KEY)
    for record in CUSTOMERS:
        if "author" in record:
            assert PEOPLE[record["author"]]["lang"] == record["lang"], record["key"]
        if "repeat_of" in record:
            first = BY_KEY[record["repeat_of"]]
            assert order.index(first["key"]) < order.index(record["key"])
            assert first["author"] == record["author"] and first["lang"] == record["lang"], record["key"]
            assert "delete_after_minutes" not in first


def test_it_gives_an_outage_a_different_customer_for_every_post() -> None:
    authors = [record["author"] for record in CUSTOMERS if record["role"] == "outage"]
    assert len(set(authors)) == len(authors) >= 25


def test_it_names_an_author_wherever_polish_grammar_gives_away_a_gender() -> None:
    forms: dict[str, set[str]] = {}
    for record in CUSTOMERS:
        for gender, pattern in (("feminine", FEMININE), ("masculine", MASCULINE)):
            words = gendered(pattern, record)
            if record["lang"] == "pl" and words:
                assert "author" in record, (record["key"], words)
                forms.setdefault(record["author"], set()).add(gender)
    assert [person for person, genders in forms.items() if len(genders) > 1] == []


def test_it_has_a_cast_of_invented_customers_that_every_network_accepts() -> None:
    customers = CAST["customer"]
    assert len(PEOPLE) == len(customers)
    assert len({customer["handle"] for customer in customers}) == len(customers)
    people = [customer for customer in customers if not customer.get("bot") and not customer.get("deleted")]
    assert len(people) >= 60
    for customer in customers:
        assert re.fullmatch(r"[a-z0-9]{3,15}", customer["handle"]), customer["id"]
        assert customer["lang"] in {"pl", "en"}
        assert customer["joined"].year >= 2009
        assert bool(customer["name"]) != bool(customer.get("deleted")), customer["id"]
    assert len({customer["name"] for customer in people}) == len(people)


def test_it_knows_the_automated_accounts_the_deleted_one_and_those_at_the_desk() -> None:
    bots = {customer["id"] for customer in CAST["customer"] if customer.get("bot")}
    assert len(bots) == 2
    assert sum(bool(PEOPLE[bot].get("line")) for bot in bots) == 1
    assert sum(bool(customer.get("deleted")) for customer in CAST["customer"]) == 1
    lines = {PEOPLE[bot]["line"] for bot in bots if "line" in PEOPLE[bot]}
    assert lines <= {record["text"] for record in CUSTOMERS if record["role"] == "bot"}
    for record in CUSTOMERS:
        assert (record["role"] == "bot") == (record.get("author") in bots), record["key"]
    assert CAST["shop"] == {"name": "Sklep Lawenda", "handle": "sklep_lawenda", "owner": "Hanna"}
    assert [agent["id"] for agent in CAST["agent"]] == ["anna", "marek"]


def test_it_has_twenty_five_posts_of_the_shop_itself() -> None:
    assert [post["key"] for post in SHOP_POSTS] == [f"s{number:02d}" for number in range(1, 26)]
    for post in SHOP_POSTS:
        assert {"key", "lang", "text"} <= post.keys() <= {"key", "lang", "text", "photo"}
        assert post["lang"] in {"pl", "en"}
        assert x_weight(post["text"]) <= X_LIMIT
