"""The training loop: schedules, steps, checkpoints and progress."""
