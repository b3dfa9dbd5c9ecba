"""What runs: webhooks in, lanes, triggers, replay, releases."""
