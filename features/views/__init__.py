"""Random views of images, for embeddings of augmented images."""
