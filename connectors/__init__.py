"""One network, one file; ``registry`` finds them, ``kit`` and ``session`` are their workshop."""
