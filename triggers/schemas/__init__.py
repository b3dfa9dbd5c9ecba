"""Pydantic models of the normalised objects."""
