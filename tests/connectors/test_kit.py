"""The workshop's promises: secrets stay secret, settings are read with care, items are read one by one."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from connectors import kit
from social.domain.errors import (
    ConfigurationError,
    ConnectorError,
    CredentialsExpired,
    RateLimited,
    Refused,
    Uncertain,
    Unreachable,
)
from social.domain.post import Author, FetchedPost, PostKind

NOW = datetime(2026, 8, 5, 10, 0, tzinfo=UTC)
TOKEN = "canary/token+of=the kit"


def post(item: Any) -> FetchedPost:
    return FetchedPost(
        native_id=item["id"],
        author=Author(native_id="a"),
        text=item["text"],
        created_at=kit.moment(item["at"]),
        thread_root=item["id"],
        kind=PostKind.MENTION,
        revision=item.get("revision", ""),
    )


class TestSecrets:
    @pytest.mark.parametrize(
        "said",
        [
            TOKEN,
            quote(TOKEN, safe=""),
            f"Authorization: Bearer {TOKEN}",
            "GET /me?access_token=EAABunknownTOKEN&fields=id",
            "{'Authorization': 'Bearer EAABunknownTOKEN'}",
            '{"refresh_token": "EAABunknownTOKEN"}',
            'OAuth oauth_token="EAABunknownTOKEN", oauth_version="1.0"',
        ],
    )
    def test_a_token_is_masked_wherever_it_stands(self, said: str) -> None:
        kit.guard([TOKEN])
        assert TOKEN not in kit.scrub(said)
        assert quote(TOKEN, safe="") not in kit.scrub(said)
        assert "EAABunknownTOKEN" not in kit.scrub(said)
        assert kit.MASK in kit.scrub(said)

    def test_ordinary_words_stay(self) -> None:
        kit.guard(["", "abc"])
        said = "abc: 3 posts read, the password was changed, bearer of news"
        assert kit.scrub(said) == said

    def test_a_log_record_is_scrubbed_whoever_writes_it(self) -> None:
        kit.guard([TOKEN])
        lines: list[str] = []

        class Listener(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                lines.append(self.format(record))

        library = logging.getLogger("some.library")
        listener = Listener()
        library.addHandler(listener)
        try:
            library.error("headers %s", {"Authorization": f"Bearer {TOKEN}"})
            try:
                raise ValueError(f"url with {TOKEN}")
            except ValueError:
                library.exception("failed with %d", 7)
            library.error("nothing to hide: %s", "x")
        finally:
            library.removeHandler(listener)
        assert TOKEN not in "\n".join(lines)
        assert "failed with 7" in lines[1]
        assert "ValueError" in lines[1]
        assert lines[2] == "nothing to hide: x"

    def test_a_networks_words_become_one_short_line(self) -> None:
        told = kit.quoted("first\r\nsecond\x1b[31m " + "x" * 500)
        assert told.startswith("first second [31m xxx")
        assert len(told) == 200


class TestSettings:
    @pytest.mark.parametrize(
        "base_url",
        [
            "http://api.example",
            "ftp://api.example",
            "api.example",
            "https://u:p@api.example",
            "https://a.example/?x=1",
            "",
        ],
    )
    def test_a_base_url_that_is_no_safe_address_is_refused(self, base_url: str) -> None:
        with pytest.raises(ConfigurationError, match="base_url"):
            kit.validated(kit.NetworkSettings, {"base_url": base_url}, resource="[connectors.x]")

    @pytest.mark.parametrize("base_url", ["https://api.example/v1/", "http://127.0.0.1:8080", "http://[::1]:80/x"])
    def test_a_safe_address_is_taken_without_its_last_slash(self, base_url: str) -> None:
        settings = kit.validated(kit.NetworkSettings, {"base_url": base_url}, resource="[connectors.x]")
        assert settings.base_url == base_url.rstrip("/")

    def test_every_complaint_is_told_at_once_and_no_value_is_shown(self) -> None:
        raw = {"base_url": "https://a.example", "timeout": "canary-value", "timeuot": 3, "total_timeout": -1}
        with pytest.raises(ConfigurationError) as caught:
            kit.validated(kit.NetworkSettings, raw, resource="[connectors.x]")
        told = str(caught.value)
        assert told.startswith("[connectors.x]: ")
        assert all(key in told for key in ("timeout", "timeuot: unknown key", "total_timeout", "Known keys: base_url"))
        assert "canary-value" not in told


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "reading", "publishing"),
        [
            (301, Unreachable, Uncertain),
            (400, Unreachable, Refused),
            (401, CredentialsExpired, CredentialsExpired),
            (403, CredentialsExpired, Refused),
            (404, Unreachable, Refused),
            (408, Unreachable, Uncertain),
            (410, Unreachable, Refused),
            (422, Unreachable, Refused),
            (429, RateLimited, RateLimited),
            (500, Unreachable, Uncertain),
            (503, Unreachable, Uncertain),
        ],
    )
    def test_only_a_definite_no_is_a_refusal(
        self, status: int, reading: type[ConnectorError], publishing: type[ConnectorError]
    ) -> None:
        for publishes, kind in ((False, reading), (True, publishing)):
            error = kit.failure(status, publishes=publishes, resource="x", now=NOW, headers={})
            assert type(error) is kind

    @pytest.mark.parametrize("told", [None, "", "soon", "-5", "0", "99999999999999999999", "1e9", "nan"])
    def test_a_limit_without_a_sensible_end_lasts_15_minutes(self, told: str | None) -> None:
        assert kit.reset_at(told, now=NOW) == NOW + timedelta(minutes=15)
        if told != "0":
            assert kit.retry_after(told, now=NOW) == NOW + timedelta(minutes=15)

    def test_a_sensible_end_is_believed(self) -> None:
        assert kit.reset_at(str(int(NOW.timestamp()) + 60), now=NOW) == NOW + timedelta(minutes=1)
        assert kit.retry_after("60", now=NOW) == NOW + timedelta(minutes=1)
        assert kit.retry_after("Wed, 05 Aug 2026 10:01:00 GMT", now=NOW) == NOW + timedelta(minutes=1)


class TestQuota:
    def test_headers_become_a_quota_and_nonsense_none(self) -> None:
        book = kit.QuotaBook()
        headers = {"l-limit": "200", "l-remaining": "50", "l-reset": str(int(NOW.timestamp()))}
        book.note_headers("read", headers, now=NOW, prefix="l-")
        book.note_headers("write", {"l-limit": "many", "l-reset": "soon"}, now=NOW, prefix="l-")
        (quota,) = book.seen()
        assert (quota.scope, quota.limit, quota.remaining, quota.used_percent) == ("read", 200, 50, 75.0)
        assert quota.resets_at == NOW


class TestItems:
    GOOD = {"id": "1", "text": "x", "at": "2026-08-05T10:00:00Z"}

    @pytest.mark.parametrize(
        "bad",
        [
            None,
            7,
            "x",
            [],
            {},
            {"id": "2"},
            {**GOOD, "at": "2026-08-05T10:00:00"},
            {**GOOD, "at": 3},
            {**GOOD, "at": "x"},
        ],
    )
    def test_a_bad_item_is_set_aside_with_its_reason(self, bad: Any) -> None:
        posts, quarantined = kit.read_items([bad, self.GOOD], post)
        assert [found.native_id for found in posts] == ["1"]
        (one,) = quarantined
        assert one.reason
        assert json.loads(one.raw) == bad
        assert one.native_id == (bad.get("id") if isinstance(bad, dict) else None)

    def test_the_same_content_counts_once_and_an_edit_twice(self) -> None:
        posts, _ = kit.read_items([self.GOOD, self.GOOD, {**self.GOOD, "revision": "2"}], post)
        assert [found.revision for found in posts] == ["", "2"]

    def test_no_page_is_an_empty_page_and_a_wrong_page_is_none(self) -> None:
        assert kit.read_items(None, post) == ([], [])
        with pytest.raises(Unreachable):
            kit.read_items({"id": "1"}, post)

    def test_a_network_failure_while_reading_is_not_the_items_fault(self) -> None:
        def read(item: Any) -> FetchedPost:
            raise RateLimited("wait", until=NOW)

        with pytest.raises(RateLimited):
            kit.read_items([self.GOOD], read)

    def test_a_large_item_keeps_its_short_values_only(self) -> None:
        assert kit.small(self.GOOD) == self.GOOD
        assert kit.small({**self.GOOD, "blob": "x" * 20_000}) == self.GOOD

    @pytest.mark.parametrize("text", ["2026-08-05T10:00:00Z", "2026-08-05T10:00:00.000Z", "2026-08-05T12:00:00+0200"])
    def test_the_networks_forms_of_a_time_are_read(self, text: str) -> None:
        assert kit.moment(text) == NOW
        assert kit.moment(text).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "Plain(host='h', port=9): Failed to establish a new connection: [Errno 111] Connection refused",
            "Connection refused",
        ),
        (
            "Secure(host='h', port=9): Failed to resolve 'h' ([Errno -2] Name or service not known)",
            "Name or service not known",
        ),
        ("('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))", "Connection reset by peer"),
        ("HTTPConnectionPool(host='h', port=9): Read timed out.", "Read timed out"),
    ],
)
def test_a_network_that_is_away_is_told_in_words_and_not_in_the_librarys(said: str, reason: str) -> None:
    assert kit.unreached("GET /x", "h", said, connected=False) == f"h cannot be reached ({reason}; GET /x)."
    assert "gave no whole answer" in kit.unreached("GET /x", "h", said, connected=True)
