"""Alembic's entry: runs migrations on the connection that `open.py` hands over."""

from alembic import context

from psyllm.casebook.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
