"""Knows files of recordings: WFDB, EDF, BDF, tables, NumPy and MATLAB."""
