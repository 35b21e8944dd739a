"""Rankings made elsewhere: files of ranked lists, and the images that they name."""
