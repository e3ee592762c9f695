"""${message}

Revision: ${up_revision}, follows ${down_revision | comma,n}
"""

import sqlalchemy as sa
from alembic import op

from social.store import columns

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only; restore the backup that was made before the upgrade")
