"""One module for each CRM: verify, find events, normalise."""
