"""Connectors are found by their files and by other packages' entry points, without importing what nobody opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from connectors import registry
from social.domain.errors import ConfigurationError

BUILT_IN = ("bluesky", "facebook", "twitter")


def test_every_file_of_the_package_is_a_connector() -> None:
    assert set(BUILT_IN) <= set(registry.kinds())
    for kind in registry.kinds():
        assert registry.load(kind).kind == kind


def test_an_unknown_kind_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r'"myspace".*bluesky, facebook.*twitter'):
        registry.load("myspace")


@pytest.mark.parametrize("name", ["breaker", "kit", "session", "registry", "setup", "simulated", "spending"])
def test_the_workshop_is_no_network(name: str) -> None:
    assert name not in registry.kinds()


def test_loading_all_connectors_imports_no_client_library() -> None:
    code = (
        "import sys; from connectors import registry; [registry.load(kind) for kind in registry.kinds()];"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'tweepy', 'facebook', 'atproto', 'requests'}))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_an_installed_package_can_offer_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offered = {
        "good": "class Good(Twitter):\n    kind = 'elsewhere'\n",
        "other_name": "class Good(Twitter):\n    kind = 'twitter'\n",
        "half": "class Good:\n    kind = 'half'\n",
        "broken": "raise RuntimeError('no library')\n",
    }
    for name, body in offered.items():
        text = f"from connectors.twitter import TwitterConnector as Twitter\n{body}"
        (tmp_path / f"offered_{name}.py").write_text(text)
    info = tmp_path / "offered-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[dyzur.connectors]\nelsewhere = offered_good:Good\nmisnamed = offered_other_name:Good\n"
        "half = offered_half:Good\nbroken = offered_broken:Good\ntwitter = offered_broken:Good\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert {"elsewhere", "misnamed", "half", "broken", "twitter"} <= set(registry.kinds())
    assert registry.load("elsewhere").kind == "elsewhere"
    assert registry.load("twitter").__module__ == "connectors.twitter"
    for kind, complaint in (("misnamed", "kind"), ("half", "lacks"), ("broken", "no library")):
        with pytest.raises(ConfigurationError, match=complaint):
            registry.load(kind)
