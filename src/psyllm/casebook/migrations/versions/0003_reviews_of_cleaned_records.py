"""What reviewers decided about cleaned records."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "review_decisions",
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("staff_id", sa.String(length=64), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("words", sa.String(length=64), nullable=False),
        sa.Column("dropped_for", sa.String(length=100), nullable=False),
        sa.Column("verdict", sa.String(24), nullable=False),
        sa.Column("reason", sa.String(24), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("edited", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name="fk_review_decisions_staff_id"),
        sa.PrimaryKeyConstraint("item", "staff_id", name="pk_review_decisions"),
        sa.UniqueConstraint("item", "place", name="uq_review_decisions_item_place"),
    )
    op.create_index("ix_review_decisions_record_id", "review_decisions", ["record_id"], unique=False)
    op.create_table(
        "review_skips",
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("staff_id", sa.String(length=64), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name="fk_review_skips_staff_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("item", "staff_id", name="pk_review_skips"),
    )
    op.create_index("ix_review_skips_record_id", "review_skips", ["record_id"], unique=False)


def downgrade() -> None:
    op.drop_table("review_skips")
    op.drop_table("review_decisions")
