"""Fine-tuning on labelled images with metric-learning losses."""
