"""The Judgment Protocol: what is in a text and what may be done with it.

``judge.py`` judges texts, records and batches (levels 6–14, a module each); ``masking.py`` hides people's
data and secrets wherever something is shown; ``canary.py`` makes the tokens that tell of a leak.
"""
