"""What the pipeline knows of signals: databases, sources, records, AAMI classes, beats, rhythm."""
