"""Datasets whose images lie in larger files and are read in place."""
