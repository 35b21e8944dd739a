"""Models that other libraries hold: transformers, open_clip, ONNX, and a user's own code."""
