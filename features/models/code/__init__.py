"""Code that a user brings: its hash, and whether it may run."""
