"""The child process in which scripts run."""
