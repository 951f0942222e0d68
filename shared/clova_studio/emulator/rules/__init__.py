"""What the service accepts, and its catalogue of models. Every check raises a `Refusal` for the rest."""
