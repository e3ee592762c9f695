"""What was erased, who is not read in again, and daily chores of the daemons

Revision: 0007, follows 0006
"""

import sqlalchemy as sa
from alembic import op

from social.store import columns

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # only what costs nothing on a table of a million rows: a new column without a default, new tables
    op.add_column("post", sa.Column("erased_at", columns.UtcDateTime(timezone=True), nullable=True))
    op.create_table(
        "forgotten_author",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("handle_digest", sa.String(), nullable=True),
        sa.Column("forgotten_at", columns.UtcDateTime(timezone=True), nullable=False),
        sa.Column("forgotten_by", sa.String(), nullable=False),
        sa.Column("reason", columns.OutsideText(), nullable=False),
        sa.Column("left_out", sa.Integer(), nullable=False),
        sa.Column("last_left_out_at", columns.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forgotten_author")),
        sa.UniqueConstraint("network", "digest", name=op.f("uq_forgotten_author_network_digest")),
    )
    op.create_table(
        "erasure_salt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure_salt")),
    )
    op.create_table(
        "chore",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("due_at", columns.UtcDateTime(timezone=True), nullable=False),
        sa.Column("leased_until", columns.UtcDateTime(timezone=True), nullable=True),
        sa.Column("token", sa.String(), nullable=True),
        sa.Column("progress", columns.JsonText(), nullable=True),
        sa.Column("done_at", columns.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_chore")),
    )


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore the backup that was made before the upgrade")
