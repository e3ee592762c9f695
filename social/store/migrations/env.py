"""Alembic's environment: takes the open connection of ``social.store.schema``; there is no alembic.ini."""

from alembic import context

from social.store import tables

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=tables.Table.metadata,
    render_as_batch=connection.dialect.name == "sqlite",  # SQLite alters a table by copying it
    transactional_ddl=True,
    compare_type=False,  # our column types are decorators over plain ones
)
with context.begin_transaction():
    context.run_migrations()
