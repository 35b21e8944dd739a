"""Logistic regression on many examples: Newton's method with conjugate gradients."""
