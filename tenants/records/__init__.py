"""The tenant schema: the mirror of a tenant's CRM records and the agents' own objects."""
