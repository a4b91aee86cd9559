"""What `asv` runs: the same cases, over the project's commits (`asv run`, then `asv publish`)."""
