"""What happened: traces, search, retention."""
