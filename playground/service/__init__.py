"""What a hosted demo needs beside its pages: turns, an interface for programs, health, numbers, logs, headers."""
