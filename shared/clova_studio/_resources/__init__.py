"""What a client can be asked, one module a family, each with both twins."""
