"""Command-line tools that make the data the application ships with; nothing in app/ imports them."""
