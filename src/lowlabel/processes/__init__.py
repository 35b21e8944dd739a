"""The processes that torchrun starts: those that train together, and those that extract."""
