"""Linear probes: heads that SGD trains, and the choice of one."""
