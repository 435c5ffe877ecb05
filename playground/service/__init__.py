"""What a hosted demo needs beside the pages: limits on load, an interface for programs, health, numbers, logs, headers."""
