"""Knows how numbers are drawn: values in, figures out."""
