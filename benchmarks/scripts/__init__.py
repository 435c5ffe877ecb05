"""Small apps to measure against."""
