"""Protocols: how scores are taken, one file each."""
