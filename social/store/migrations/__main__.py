"""``make migration m="what changes"``: drafts the next migration from the difference between tables and migrations.

Works on a throw-away SQLite file that is brought up to date first. Read what it wrote before you commit it.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from alembic import command

from social import clock
from social.store import schema
from social.store.session import Database


def main(arguments: Sequence[str]) -> int:
    message = " ".join(arguments).strip()
    if not message:
        print('Say what changes: make migration m="keep the colour of a tag"', file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'draft.db'}")
        try:
            schema.upgrade(database, now=clock.machine_now())
            if not schema.differences(database):
                print("Nothing changed: the migrations already say what the tables say.", file=sys.stderr)
                return 1
            head = schema.status(database).head
            revision = f"{int(head) + 1:04d}"
            with database.write() as session:
                config = schema._config(session.connection())  # the one place that knows where migrations lie
                config.set_main_option("file_template", f"{revision}_{_slug(message)}")
                script = command.revision(config, message=message, autogenerate=True, rev_id=revision)
        finally:
            database.close()
    file = Path(str(getattr(script, "path", "")))
    # SQLModel's own text type is SQLAlchemy's with a default length; a migration should not depend on it
    text = re.sub(
        r"sqlmodel\.sql\.sqltypes\.AutoString\((?:length=(\d+))?\)", r"sa.String(\1)", file.read_text("utf-8")
    )
    file.write_text(text, encoding="utf-8")
    print(file)
    return 0


def _slug(message: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", message.lower()).strip("_")[:50]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
