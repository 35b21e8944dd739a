"""What labels ask of a classifier: one class of several, or each label by itself."""
