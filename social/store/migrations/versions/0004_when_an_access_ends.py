"""When the access of a profile ends, as its network says

Revision: 0004, follows 0003
"""

import sqlalchemy as sa
from alembic import op

from social.store import columns

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("profile") as table:
        table.add_column(sa.Column("access_ends_at", columns.UtcDateTime(timezone=True), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore the backup that was made before the upgrade")
