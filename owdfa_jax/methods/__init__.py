"""Training methods, one a file; `by_name.METHODS` lists them."""
