"""A trained network as files that plain JAX runs, without this package."""
