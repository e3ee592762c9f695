"""A file that others may be reading is replaced in one step: they see the old one or the complete new one."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from social.domain.errors import DyzurError, UsageError


@contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """Write into a new file beside ``target``, which takes its place once everything is on the disk. After an exception
    ``target`` is what it was, or still missing. Raises ``UsageError`` where it cannot be written, ``DyzurError`` where there
    is no room."""
    place = Path(os.path.realpath(target))  # a link stays a link, and what it points to is replaced
    if place.exists() and not place.is_file():
        raise UsageError("this is not a file.", resource=str(target), next_step="Name a file, such as week.csv.")
    draft = place.with_name(f".{place.name}.{secrets.token_hex(6)}.part")
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(place)
        _keep_name(place.parent)
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise (DyzurError if full else UsageError)(
            f"the file cannot be written ({error.strerror}).",
            resource=str(target),
            next_step="Choose a folder that is there, is writable and has room.",
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _keep_name(folder: Path) -> None:
    """The new name survives a power loss too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
