"""`social notify test` shows whether people can be told; `doctor` finds what would keep them from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import SHOP, Social
from tests.notifiers.servers import (
    HOST,
    PASSWORD,
    SIGN_IN,
    USER,
    Mailbox,
    Visits,
    mail_server,
    self_made_certificate,
    silent_server,
    web_server,
)

PEOPLE = """
[[notify.people]]
name = "marek"
email = "marek@example.com"

[[notify.people]]
name = "hanna"
email = "hanna@example.com"
language = "en"
"""
#: apprise still loads it where it is there, for its plug-in of e-mails.
APPRISE = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def smtp(port: int, **more: str) -> str:
    values = {"host": HOST, "security": "none", "sender": "desk@example.com", "timeout": "2s", **more}
    lines = "\n".join(f'{key} = "{value}"' for key, value in values.items())
    return f"\n[notify.smtp]\nport = {port}\n{lines}\n"


def configure(shop: Path, *parts: str) -> None:
    (shop / "config.toml").write_text("".join((SHOP, *parts)), encoding="utf-8")


def secret(shop: Path, name: str, **parts: str) -> None:
    file = shop / "secrets" / f"{name}.toml"
    file.write_text("".join(f'{part} = "{value}"\n' for part, value in parts.items()), encoding="utf-8")
    file.chmod(0o600)


# --- social notify test -------------------------------------------------------------------------------------------------


def test_it_sends_everybody_a_message_in_their_language(social: Social, shop: Path) -> None:
    box = Mailbox()
    with mail_server(box) as port:
        configure(shop, smtp(port), PEOPLE)
        done = social("notify", "test")

    assert done.code == 0, done.err
    assert done.out.splitlines() == ["marek  email  taken", "hanna  email  taken"]
    assert [envelope.rcpt_tos for envelope in box.envelopes] == [["marek@example.com"], ["hanna@example.com"]]


def test_it_sends_one_person_a_message_and_each_time_a_new_one(social: Social, shop: Path) -> None:
    box = Mailbox()
    with mail_server(box) as port:
        configure(shop, smtp(port), PEOPLE)
        for _ in range(2):
            done = social("notify", "test", "hanna", "--json")

    assert done.json == [{"person": "hanna", "channel": "email", "error": ""}]
    ids = {line for envelope in box.envelopes for line in envelope.content.splitlines() if b"Message-ID" in line}  # type: ignore[union-attr]
    assert len(ids) == len(box.envelopes) == 2


def test_it_says_what_went_wrong_and_ends_with_five(social: Social, shop: Path) -> None:
    box = Mailbox(recipient_answer="550 no such mailbox")
    with mail_server(box) as port:
        configure(shop, smtp(port), PEOPLE)
        done = social("notify", "test", "marek")

    assert done.code == 5
    assert "the mail server said 550 no such mailbox" in done.out


def test_a_mail_server_that_hangs_costs_its_time_out_and_no_more(social: Social, shop: Path) -> None:
    with silent_server() as port:
        configure(shop, smtp(port, timeout="1s"), PEOPLE)
        done = social("notify", "test", "marek")

    assert done.code == 5
    assert "said nothing for 1 s" in done.out


@APPRISE
def test_it_reaches_services_too(social: Social, shop: Path) -> None:
    visits = Visits()
    with web_server(visits) as port:
        secret(shop, "marek-phone", push=f"json://desk:canary-token@{HOST}:{port}/one")
        configure(shop, '\n[[notify.people]]\nname = "marek"\nservices = "marek-phone"\n')
        done = social("notify", "test")

    assert (done.code, done.out) == (0, "marek  services  taken\n")
    assert visits.paths == ["/one"]
    assert "canary" not in done.out + done.err


def test_it_says_that_there_is_nobody(social: Social, shop: Path) -> None:
    done = social("notify", "test")

    assert done.code == 3
    assert "there is nobody to be told" in done.err


def test_it_names_those_whom_it_knows(social: Social, shop: Path) -> None:
    configure(shop, smtp(1), PEOPLE)
    done = social("notify", "test", "ewa")

    assert done.code == 2
    assert "There is: marek, hanna." in done.err


def test_a_simulated_world_tells_nobody_outside(social: Social, shop: Path) -> None:
    paced = '[clock]\nmode = "paced"\nstart = 2026-11-20T15:30:00+01:00\n'
    configure(shop, smtp(587, host="mail.example.com"), PEOPLE, paced)
    done = social("notify", "test")

    assert done.code == 3
    assert "people outside would be told of customers who do not exist" in done.err


# --- doctor -------------------------------------------------------------------------------------------------------------


def findings(done: object, subject: str) -> list[tuple[str, str]]:
    return [(item["level"], item["sentence"]) for item in done.json if item["subject"] == subject]  # type: ignore[attr-defined]


def test_doctor_notes_that_nobody_is_told(social: Social, shop: Path) -> None:
    done = social("doctor", "--offline", "--json")

    assert findings(done, "notify") == [
        ("note", "nobody is told of anything: there is nobody in [[notify.people]]"),
    ]


def test_doctor_names_who_is_on_call(social: Social, shop: Path) -> None:
    configure(shop, smtp(1), PEOPLE)

    assert findings(social("doctor", "--offline", "--json"), "notify") == [
        ("ok", "Shop: on call now: marek, then hanna")
    ]


def test_doctor_finds_a_credential_that_is_missing_or_lacks_a_part(social: Social, shop: Path) -> None:
    configure(shop, smtp(1, credential="mail"), PEOPLE)
    ((level, sentence),) = findings(social("doctor", "--offline", "--json"), "notify")
    assert (level, "the credential 'mail' was not found" in sentence) == ("error", True)

    secret(shop, "mail", username="desk")
    done = social("doctor", "--offline", "--json")
    assert done.code == 9
    assert "lacks password" in findings(done, "notify")[0][1]


def test_doctor_signs_in_and_sends_nothing(social: Social, shop: Path, tmp_path: Path) -> None:
    certificate, box = self_made_certificate(tmp_path), Mailbox()
    secret(shop, "mail", username=USER, password=PASSWORD)
    with mail_server(box, tls_context=certificate.server, auth_required=True, **SIGN_IN) as port:
        how = {"security": "starttls", "credential": "mail", "ca_file": str(certificate.ca_file)}
        configure(shop, smtp(port, **how), PEOPLE)
        found = findings(done := social("doctor", "--json"), "mail server")

    assert found == [("ok", f"{HOST}:{port} takes our sign-in; try: social notify test")]
    assert box.envelopes == []
    assert "canary" not in done.out + done.err


def test_doctor_finds_a_mail_server_that_does_not_want_us(social: Social, shop: Path, tmp_path: Path) -> None:
    certificate = self_made_certificate(tmp_path)
    with mail_server(Mailbox(), tls_context=certificate.server) as port:
        configure(shop, smtp(port, security="starttls"), PEOPLE)
        ((level, sentence),) = findings(social("doctor", "--json"), "mail server")

    assert (level, "certificate is not trusted" in sentence) == ("error", True)


@APPRISE
def test_doctor_finds_an_address_that_apprise_does_not_understand(social: Social, shop: Path) -> None:
    secret(shop, "marek-phone", push="nonsense://canary-token")
    configure(shop, '\n[[notify.people]]\nname = "marek"\nservices = "marek-phone"\n')

    done = social("doctor", "--offline", "--json")

    assert "does not understand the address in push" in findings(done, "notify")[-1][1]
    assert "canary" not in done.out
