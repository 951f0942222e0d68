"""The answers of each API, one module per API."""
