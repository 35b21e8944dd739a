"""Augmented views with their geometry."""
