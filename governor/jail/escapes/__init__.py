"""Escapes that the self-test tries in a jail of its own. All are harmless where they succeed."""
