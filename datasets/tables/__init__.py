"""`csv:FILE`: images that a table names, with their labels, parts, groups and boxes."""
