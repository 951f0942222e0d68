"""Every API as a pure function that returns one ``Call``: what to send, and what comes back. One module a family."""
