"""tinynet."""
