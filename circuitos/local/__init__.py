"""The embedded servers and the process supervision behind `up` and `serve`."""
