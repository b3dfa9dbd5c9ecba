"""The Judgment Protocol: masking now, the 17 levels later."""
