"""Paired comparisons of records over the same tasks, splits, queries or images."""
