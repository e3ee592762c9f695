"""A small social world on this machine: one neutral world, and one dialect file a network that speaks its HTTP API."""
