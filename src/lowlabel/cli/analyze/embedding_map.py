"""`lowlabel analyze map`."""


def embedding_map() -> None:
    """Draw a map."""
