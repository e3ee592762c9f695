"""Alembic migrations, shipped in the wheel; ``social.store.schema`` runs them."""
