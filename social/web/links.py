"""Addresses of the desk for people: in the terminal, in messages, on pages."""

from __future__ import annotations

from social.settings import Settings


def base_address(settings: Settings, netloc: str = "") -> str:
    """What [web] address says, else how the desk is reached on this machine."""
    return settings.web.address or f"http://{netloc or f'{settings.web.host}:{settings.web.port}'}"


def welcome_link(settings: Settings, token: str, netloc: str = "") -> str:
    return f"{base_address(settings, netloc)}/welcome/{token}"
