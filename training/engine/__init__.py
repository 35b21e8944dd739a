"""The training engine: batches, steps, schedules, checkpoints and metrics."""
