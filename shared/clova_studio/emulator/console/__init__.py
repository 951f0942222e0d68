"""What users manage in the service's console: routers, skillsets and training tasks."""
