"""The exact ranking engine: ranks of positives by counting, without sorting."""
