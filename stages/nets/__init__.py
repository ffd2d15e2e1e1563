"""What the pipeline knows of Keras: the two networks, how they are fitted, saved and run."""
