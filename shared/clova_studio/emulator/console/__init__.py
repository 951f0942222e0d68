"""What the service's console keeps: routers, skillsets and training tasks."""
