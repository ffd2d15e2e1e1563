"""What fitting and searching share: folds, cross-validation, W&B."""
