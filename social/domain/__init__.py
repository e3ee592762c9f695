"""The words of the desk: frozen values and pure functions. Imports nothing but the standard library."""
