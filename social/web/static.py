"""Style sheet and scripts, under names that change with their content, so that browsers may keep them for ever."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.exceptions import HTTPException

router = APIRouter()

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@cache
def _content(name: str) -> bytes:
    return (resources.files("social.web") / "static" / name).read_bytes()


@cache
def address(name: str) -> str:
    """``desk.css`` -> ``/static/desk.css?v=1a2b3c4d5e6f``."""
    return f"/static/{name}?v={hashlib.sha256(_content(name)).hexdigest()[:12]}"


@router.get("/static/{name:path}")
def file(name: str) -> Response:
    ending = name.rpartition(".")[2]
    if ending not in _TYPES or ".." in name:
        raise HTTPException(404)
    try:
        content = _content(name)
    except OSError:
        raise HTTPException(404) from None
    return Response(
        content,
        media_type=f"{_TYPES[ending]}; charset=utf-8",
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )


@router.get("/favicon.ico")
def icon() -> Response:
    return file("icon.svg")
