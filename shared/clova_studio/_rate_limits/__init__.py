"""When a request may be sent: the rate limiter, what it learns, and what headers report."""
