"""Shipped agents: scripts on Circuit Script, pure Python. Each is loaded when it is used."""

from __future__ import annotations
