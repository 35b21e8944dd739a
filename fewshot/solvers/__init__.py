"""Batched solvers for the methods: Adam, L-BFGS, Sinkhorn, logistic regression, squared hinge."""
