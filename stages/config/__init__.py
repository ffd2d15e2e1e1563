"""What the stages are run with: parameters, places and mirrors."""
