"""What the pipeline knows of scores: per beat, by AAMI EC57, curves, intervals and comparisons."""
