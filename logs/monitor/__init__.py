"""Error rates, metrics and health."""
