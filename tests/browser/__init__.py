"""Real browsers on real notebook servers; see `fronts.py` for how a test drives them."""
