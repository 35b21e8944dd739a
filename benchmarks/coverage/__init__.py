"""Coverage of confidence intervals in simulated worlds whose truth is known."""
