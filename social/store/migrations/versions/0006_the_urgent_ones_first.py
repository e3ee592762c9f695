"""Posts are judged and texts are sent the urgent ones first

Revision: 0006, follows 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

#: Table -> the states in which its rows are claimed.
STATES = {"post": "state IN ('new', 'waiting')", "reply": "state IN ('planned')"}


def upgrade() -> None:
    for table, waiting in STATES.items():
        # what waits at the upgrade keeps its place in time; a plain column, since making a table anew would take long
        op.add_column(table, sa.Column("priority", sa.Integer(), nullable=False, server_default="2"))
        op.create_index(
            f"ix_{table}_urgent",
            table,
            ["priority", "due_at", "id"],
            unique=False,
            sqlite_where=sa.text(waiting),
            postgresql_where=sa.text(waiting),
        )
    planned = sa.text("state = 'planned'")
    op.create_index(
        "ix_reply_expiring", "reply", ["not_after"], unique=False, sqlite_where=planned, postgresql_where=planned
    )
    op.execute("UPDATE reply SET priority = 0 WHERE sent_by = 'person' AND state = 'planned'")


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore the backup that was made before the upgrade")
