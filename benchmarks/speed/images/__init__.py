"""Time of reading images."""
