"""Readers of archives, pickles and array files."""
