"""A command changes one line of the user's config.toml, and nothing else; or says what to write by hand."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from social.cli.config_file import replace_text, with_value
from social.cli.secret_file import SecretFile
from social.domain.errors import ConfigurationError, Conflict

TEXT = """\
# mine
[[profiles]]
name = "one"
  mode = 'dry-run'   # "acknowledge" later
[profiles.options]
handle = "a = b # c"

# the second
[[profiles]]
name = "two" # mode = "x"
days = [
  "mon",
]

# the networks
[connectors.somewhere]
mode = "unlike"
"""


def test_a_value_changes_in_its_line_and_the_rest_stays() -> None:
    changed = with_value(TEXT, ("profiles", 0, "mode"), '"acknowledge"')
    assert changed == TEXT.replace("'dry-run'", '"acknowledge"')


def test_a_new_key_comes_below_the_one_that_it_belongs_to() -> None:
    changed = with_value(TEXT, ("profiles", 1, "mode"), '"off"', after="name")
    assert changed == TEXT.replace('# mode = "x"\n', '# mode = "x"\nmode = "off"\n')
    first = with_value(TEXT, ("profiles", 0, "options", "confirmed"), '["a"]')
    assert first == TEXT.replace("[profiles.options]\n", '[profiles.options]\nconfirmed = ["a"]\n')


def test_a_new_table_comes_behind_its_profile_and_before_the_next_ones_comment() -> None:
    changed = with_value(TEXT, ("profiles", 1, "options", "page_id"), '"7"')
    assert changed == TEXT.replace("]\n\n# the networks", ']\n\n[profiles.options]\npage_id = "7"\n\n# the networks')
    assert tomllib.loads(changed)["profiles"][1]["options"] == {"page_id": "7"}


def test_at_the_end_of_the_file_too() -> None:
    text = '[[profiles]]\nname = "one"'
    assert tomllib.loads(with_value(text, ("profiles", 0, "options", "a"), "1")) == {
        "profiles": [{"name": "one", "options": {"a": 1}}]
    }


@pytest.mark.parametrize(
    "text",
    [
        'profiles = [{ name = "one", mode = "off" }]\n',
        '[[profiles]]\nmode = """\noff"""\n',
        '[[profiles]]\nname = "one"\noptions = { a = 1 }\n',
    ],
)
def test_what_cannot_be_changed_safely_is_told_word_for_word(text: str) -> None:
    path = ("profiles", 0, "options", "a") if "options" in text else ("profiles", 0, "mode")
    with pytest.raises(ConfigurationError, match=r'Write it by hand: \w+ = "on"'):
        with_value(text, path, '"on"')


def test_a_file_keeps_its_mode_its_line_ends_and_the_link_that_leads_to_it(tmp_path: Path) -> None:
    real = tmp_path / "real.toml"
    real.write_bytes(b"a = 1\r\nb = 2\r\n")
    real.chmod(0o640)
    link = tmp_path / "config.toml"
    link.symlink_to(real)

    replace_text(link, "a = 1\nb = 3\n")

    assert real.read_bytes() == b"a = 1\r\nb = 3\r\n"
    assert link.is_symlink() and stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.toml", "real.toml"]


# --- secrets -----------------------------------------------------------------------------------------------------------


def test_a_secret_is_whole_or_not_there_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "shop.toml"
    SecretFile(path, {"token": 'quote " back \\ żółw'}).create(like=tmp_path)
    assert tomllib.loads(path.read_text(encoding="utf-8")) == {"token": 'quote " back \\ żółw'}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    with pytest.raises(Conflict, match="never overwritten"):
        SecretFile(path, {"token": "other"}).create(like=tmp_path)

    assert "żółw" in path.read_text(encoding="utf-8")
    assert [file.name for file in path.parent.iterdir()] == ["shop.toml"]


def test_what_is_renewed_while_it_is_tried_is_written_down_at_once(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    secret = SecretFile(path, {"refresh_token": "first", "client_id": "me"})
    secret.create(like=tmp_path)

    secret.save("shop", {"refresh_token": "second", "session": "passing"})

    assert tomllib.loads(path.read_text()) == {"refresh_token": "second", "client_id": "me"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert dict(secret.load("shop")) == {"refresh_token": "second", "client_id": "me", "session": "passing"}


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("a file")
    with pytest.raises(ConfigurationError, match=r"cannot be written.*Make that folder writable"):
        SecretFile(tmp_path / "secrets" / "shop.toml", {"token": "x"}).create(like=tmp_path)
