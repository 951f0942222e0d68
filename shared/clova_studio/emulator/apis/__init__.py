"""The answers of each API, one module per API. Every handler raises a `Refusal` for what the service refuses."""
