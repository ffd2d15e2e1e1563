"""Classifies recordings, and compares what was predicted with annotations."""
