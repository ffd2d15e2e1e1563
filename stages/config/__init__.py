"""What the stages are told: parameters, places and mirrors."""
