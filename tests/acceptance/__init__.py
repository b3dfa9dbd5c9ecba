"""Whole flows, named by their use."""

from __future__ import annotations
