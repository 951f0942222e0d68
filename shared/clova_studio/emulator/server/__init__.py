"""How requests come in and answers go out: HTTP, routes, keys, quotas, faults, and the state of one server."""
