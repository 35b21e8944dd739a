"""Maps of embeddings in two dimensions, as a picture and as a page."""
