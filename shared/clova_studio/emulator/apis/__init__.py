"""What each API answers, one module per API."""
