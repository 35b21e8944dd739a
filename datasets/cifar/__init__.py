"""CIFAR-10, CIFAR-100, and the few-shot datasets that are drawn from CIFAR-100."""
