"""``python -m social.cli`` is ``social``."""

from social.cli import main

raise SystemExit(main())
