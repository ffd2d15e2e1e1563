"""Knows searches: W&B sweep configurations, trials, a local engine. Reads no parameters and no environment."""
