"""Control over HTTP: what a test in any language asks and tells a running emulator under ``/_emulator``."""
