"""In which language a conversation's fixed texts are."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Everything before this was in Chinese.
    language = sa.Column("language", sa.String(24), nullable=False, server_default="zh")
    op.add_column("conversations", language)


def downgrade() -> None:
    op.drop_column("conversations", "language")
