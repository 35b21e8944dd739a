"""Measurements: each module compares the speed of one job with a peer or a limit, in one run."""
