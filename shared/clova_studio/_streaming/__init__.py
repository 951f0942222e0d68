"""Streamed answers: bytes to events, events to chunks, chunks to a result."""
