"""May it run, and what may it do: limits, jail, broker, egress."""
