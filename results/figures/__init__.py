"""Figures of leaderboards, from records alone."""
