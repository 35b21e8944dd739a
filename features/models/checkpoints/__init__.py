"""Weights files: which network they hold, and loading them whole."""
