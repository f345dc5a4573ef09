"""Networks. A model knows no loss and no method."""
