"""What the pipeline knows of the truth: plain scores, AAMI EC57, curves and figures."""
