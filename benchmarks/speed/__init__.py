"""Measurements: each module times one job beside a peer or the limit, in one run."""
