"""Features as a method takes them."""
