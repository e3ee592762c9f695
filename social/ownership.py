"""What root makes for a desk that runs as somebody else: that somebody must be able to open it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def same_owner(file: Path, like: Path) -> None:
    """``file``, made just now, gets the user and group of ``like``; for anybody but root it may stay as it is."""
    owner = like.stat()
    with suppress(PermissionError):
        # never what a link leads to: the folder's owner, who is not root, could have put one in the file's place
        os.chown(file, owner.st_uid, owner.st_gid, follow_symlinks=False)


def make_folder(folder: Path) -> None:
    """``folder`` and what is missing above it, each with the owner of the one that it lies in. Raises ``OSError``."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        same_owner(path, path.parent)
