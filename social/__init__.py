"""Dyżur: a brand's social desk that never sleeps."""

__version__ = "0.1.0"
