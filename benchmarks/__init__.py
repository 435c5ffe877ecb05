"""What is fast and how fast: `python -m benchmarks.<name>` prints a table."""
