"""Tests of the tenant schema."""
