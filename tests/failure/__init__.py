"""Failures with real processes: what is killed, restarted or missing costs time, never an event."""

from __future__ import annotations
