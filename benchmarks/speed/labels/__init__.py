"""Speed of classifiers of images with several labels."""
