"""Processes: those that torchrun starts, jobs of launchers, and the signals that end one."""
