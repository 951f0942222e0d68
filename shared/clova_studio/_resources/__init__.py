"""The resources of a client: one module per family of API methods, each with both twins."""
