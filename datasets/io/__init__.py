"""Readers of archives, pickles and arrays."""
