"""Loopback servers that behave as the CRMs' documented APIs do: tokens, rates, pages, errors."""
