"""What the report, the model cards and the page of a recording say."""
