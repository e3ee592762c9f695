"""What people say of judgements in a round of labelling

Revision: 0008, follows 0007
"""

import sqlalchemy as sa
from alembic import op

from social.store import columns

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "labelling",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("revision_number", sa.Integer(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("picked", sa.String(), nullable=False),
        sa.Column("may_teach", sa.Boolean(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("leased_until", columns.UtcDateTime(timezone=True), nullable=False),
        sa.Column("made_at", columns.UtcDateTime(timezone=True), nullable=True),
        sa.Column("sentiment", sa.String(), nullable=True),
        sa.Column("urgency", sa.String(), nullable=True),
        sa.Column("needs_reply", sa.Boolean(), nullable=True),
        sa.Column("topics", columns.JsonText(), nullable=True),
        sa.Column("flags", columns.JsonText(), nullable=True),
        sa.Column("guess", columns.JsonText(), nullable=False),
        sa.Column("model_id", sa.String(), nullable=False),
        sa.Column("model_version", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_labelling_post_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_labelling_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_labelling")),
        sa.UniqueConstraint(
            "post_id", "revision_number", "turn", name=op.f("uq_labelling_post_id_revision_number_turn")
        ),
    )


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore the backup that was made before the upgrade")
