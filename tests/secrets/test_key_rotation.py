"""A new key while everything runs: killed at any step, nothing is unreadable, and nothing that is saved meanwhile is lost."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from social.clock import machine_now
from social.domain.errors import ConfigurationError, Conflict
from social.key_rotation import KeyRotation
from social.secrets import EncryptedCredentials, KeyFile
from social.store.credentials import StoredCredentials
from social.store.session import Database
from tests.engine.looking import eventually

TREE = Path(__file__).parents[2]
NAMES = ("shop-one", "shop-two", "shop-three")
STEPS = ("new key written", "sealed", "committed", "strays sealed", "old keys dropped")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    for name in NAMES:
        file = tmp_path / "secrets" / f"{name}.toml"
        file.write_text('access_token = "given by the operator"\n')
        file.chmod(0o600)
    return tmp_path


def store(database: Database, folder: Path, *, key: str = "dyzur.key") -> EncryptedCredentials:
    return EncryptedCredentials(
        directory=folder / "secrets",
        key_file=folder / key,
        sealed=StoredCredentials(database, machine_now),
        environment={},
    )


def rotation(database: Database, folder: Path, *, at: Callable[[str], None] = lambda step: None) -> KeyRotation:
    return KeyRotation(KeyFile(folder / "dyzur.key"), StoredCredentials(database, machine_now), at=at)


def renew_all(database: Database, folder: Path) -> None:
    for name in NAMES:
        store(database, folder).save(name, {"access_token": f"renewed for {name}"})


def all_readable(database: Database, folder: Path) -> bool:
    return all(store(database, folder).load(name)["access_token"] == f"renewed for {name}" for name in NAMES)


def test_everything_is_sealed_anew_and_the_old_key_is_gone(store_database: Database, folder: Path) -> None:
    renew_all(store_database, folder)
    key = folder / "dyzur.key"
    old = key.read_bytes().split()

    done = rotation(store_database, folder).rotate()

    assert (set(done.sealed), done.keys) == (set(NAMES), 1)
    new = key.read_bytes().split()
    assert len(new) == 1 and new != old
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert all_readable(store_database, folder)
    assert [file.name for file in folder.iterdir() if "key" in file.name] == ["dyzur.key"]  # no half-written one
    key.write_bytes(old[0])
    with pytest.raises(ConfigurationError, match="sealed with another key"):
        store(store_database, folder).load(NAMES[0])


_KILLED = """
import os, signal, sys
from pathlib import Path
from social.clock import machine_now
from social.key_rotation import KeyRotation
from social.secrets import KeyFile
from social.store.credentials import StoredCredentials
from social.store.session import Database

key, last = sys.argv[1:]
url = os.environ["DATABASE"]  # not on the command line: it may hold a password
def at(step):
    if step == last:
        os.kill(os.getpid(), signal.SIGKILL)
KeyRotation(KeyFile(Path(key)), StoredCredentials(Database(url), machine_now), at=at).rotate()
"""


@pytest.mark.parametrize("last", STEPS)
def test_it_may_be_killed_after_any_step(new_store_database: Callable[[], Database], folder: Path, last: str) -> None:
    database = new_store_database()
    renew_all(database, folder)

    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(folder / "dyzur.key"), last],
        env={
            **os.environ,
            "PYTHONPATH": str(TREE),
            "DATABASE": database.url.render_as_string(hide_password=False),
        },
        capture_output=True,
        timeout=120,
        check=False,
    )

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert all_readable(database, folder)
    store(database, folder).save(NAMES[0], {"refresh_token": "saved after the kill"})
    assert rotation(database, folder).rotate().keys == 1  # run again, it ends in order
    assert all_readable(database, folder)
    assert store(database, folder).load(NAMES[0])["refresh_token"] == "saved after the kill"


def test_what_a_running_desk_saves_meanwhile_is_not_lost(
    new_store_database: Callable[[], Database], folder: Path
) -> None:
    database = new_store_database()
    renew_all(database, folder)
    stop, saved, troubles = threading.Event(), [0], []

    def desk() -> None:
        mine = store(new_store_database(), folder)
        try:
            while not stop.is_set():
                number = saved[0] + 1
                mine.save(NAMES[0], {"counter": str(number)})
                saved[0] = number
                assert mine.load(NAMES[0])["counter"] == str(number)
        except BaseException as error:  # noqa: BLE001 told to the test
            troubles.append(error)

    running = threading.Thread(target=desk)
    running.start()
    try:
        for _ in range(12):
            before = saved[0]
            rotation(database, folder).rotate()
            eventually(lambda before=before: saved[0] > before or troubles, what="a save between two rotations")
    finally:
        stop.set()
        running.join()

    assert troubles == []
    assert store(database, folder).load(NAMES[0])["counter"] == str(saved[0])
    assert len((folder / "dyzur.key").read_bytes().split()) == 1


def test_a_key_that_changes_between_the_two_readings_of_a_load_is_read_again(database: Database, folder: Path) -> None:
    renew_all(database, folder)

    class Slow(StoredCredentials):
        rotated = False

        def load(self, name: str) -> bytes | None:
            sealed = super().load(name)
            if not self.rotated:
                self.rotated = True
                rotation(database, folder).rotate()
            return sealed

    reader = EncryptedCredentials(
        directory=folder / "secrets", key_file=folder / "dyzur.key", sealed=Slow(database, machine_now), environment={}
    )

    assert reader.load(NAMES[0])["access_token"] == f"renewed for {NAMES[0]}"


def test_two_rotations_at_once_end_with_one_key_that_opens_everything(
    new_store_database: Callable[[], Database], folder: Path
) -> None:
    renew_all(new_store_database(), folder)
    troubles: list[BaseException] = []

    def rotate(database: Database) -> None:
        try:
            for _ in range(4):
                rotation(database, folder).rotate()
        except BaseException as error:  # noqa: BLE001 told to the test
            troubles.append(error)

    both = [threading.Thread(target=rotate, args=(new_store_database(),)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()

    assert troubles == []
    assert len((folder / "dyzur.key").read_bytes().split()) == 1
    assert all_readable(new_store_database(), folder)


def test_several_machines_go_in_steps_and_nobody_is_ever_shut_out(store_database: Database, folder: Path) -> None:
    renew_all(store_database, folder)
    here, there = folder / "dyzur.key", folder / "other-machine.key"

    def copy_the_file() -> None:
        there.write_bytes(here.read_bytes())

    def other_machine_works() -> bool:
        other = store(store_database, folder, key=there.name)
        other.save(NAMES[2], {"session": "renewed there"})
        own = store(store_database, folder).load(NAMES[2])["session"]
        return own == "renewed there" and all(
            other.load(name)["access_token"] == f"renewed for {name}" for name in NAMES
        )

    copy_the_file()
    first = here.read_bytes().split()[0]
    for step in ("add", "seal", "drop"):
        getattr(rotation(store_database, folder), step)()
        # between a step and the copy the other machine works with the file from before
        assert other_machine_works() or step == "drop"
        copy_the_file()
        assert other_machine_works()

    assert here.read_bytes().split()[0] != first
    assert len(here.read_bytes().split()) == 1
    assert all_readable(store_database, folder)


def test_a_link_to_a_shared_key_file_stays_one(store_database: Database, folder: Path) -> None:
    renew_all(store_database, folder)
    link, shared = folder / "dyzur.key", folder / "mount" / "shared.key"
    shared.parent.mkdir()
    link.rename(shared)
    link.symlink_to(Path("mount") / "shared.key")
    first = shared.read_bytes()

    for step in ("add", "seal", "drop"):
        getattr(rotation(store_database, folder), step)()
        assert link.is_symlink()
        assert all_readable(store_database, folder)

    assert shared.read_bytes() != first
    assert len(shared.read_bytes().split()) == 1
    assert stat.S_IMODE(shared.stat().st_mode) == 0o600
    assert [path.name for path in shared.parent.iterdir()] == ["shared.key"]


def test_a_key_file_that_cannot_be_replaced_leaves_no_half_written_one(folder: Path) -> None:
    key = KeyFile(folder / "dyzur.key")
    (folder / "dyzur.key").mkdir()

    with pytest.raises(ConfigurationError, match="cannot be written"):
        key.replace([Fernet.generate_key()])

    assert sorted(path.name for path in folder.iterdir()) == ["dyzur.key", "secrets"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_first_key_that_root_makes_belongs_to_whom_its_folder_does(folder: Path) -> None:
    os.chown(folder, 4711, 4712)
    KeyFile(folder / "dyzur.key").cipher(make=True)

    found = (folder / "dyzur.key").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (4711, 4712, 0o600)


def test_it_refuses_to_bury_what_no_key_opens(database: Database, folder: Path) -> None:
    renew_all(database, folder)
    key = folder / "dyzur.key"
    foreign = Fernet.generate_key() + b"\n"
    key.write_bytes(foreign)

    with pytest.raises(ConfigurationError, match="nothing was changed"):
        rotation(database, folder).rotate()

    assert key.read_bytes() == foreign


def test_a_file_with_one_key_has_nothing_new_to_seal_with(database: Database, folder: Path) -> None:
    renew_all(database, folder)
    with pytest.raises(Conflict, match="--step add"):
        rotation(database, folder).seal()
