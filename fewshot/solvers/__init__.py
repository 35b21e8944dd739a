"""Batched solvers and losses that few-shot methods are fitted with."""
