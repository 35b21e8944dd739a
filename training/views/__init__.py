"""Views of images: augmentation on the CPU or a device, with the geometry of each view."""
