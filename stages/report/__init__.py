"""What the pipeline knows of pages: tables, pictures and words in, one self-contained HTML text out."""
