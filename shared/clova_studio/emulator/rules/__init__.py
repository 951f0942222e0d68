"""What the service accepts and how it refuses the rest, with its catalogue of models."""
