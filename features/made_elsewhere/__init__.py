"""Embeddings made elsewhere, in forms of their own."""
