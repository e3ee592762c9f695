"""Assessment in, words out. Everything here is pure: no clock, no network, no database."""
