"""What the service accepts, how it refuses the rest, and its catalogue of models."""
