"""For whom: tenants, their connections, members and secrets."""
