"""The built-in demo data, drawn by the suite."""
