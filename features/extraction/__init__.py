"""How features are extracted: by chunks of images, by one process or by several together."""
