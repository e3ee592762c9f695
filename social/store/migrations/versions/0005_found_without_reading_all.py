"""Indexes, so that a question on the way of every post never reads all posts or replies of a profile

Revision: 0005, follows 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_post_own_answers",
        "post",
        ["profile_id", "in_reply_to"],
        sqlite_where=sa.text("ours IS 1"),
        postgresql_where=sa.text("ours IS TRUE"),
    )
    op.create_index("ix_reply_profile_intended", "reply", ["profile_id", "intended_at"])
    op.create_index("ix_reply_profile_newest", "reply", ["profile_id", "id"])


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore the backup that was made before the upgrade")
