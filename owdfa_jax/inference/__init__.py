"""A trained run that answers: the sources of new images, and their features."""
