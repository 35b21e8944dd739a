"""Tasks of images that come in groups: no group is on both sides of a task."""
