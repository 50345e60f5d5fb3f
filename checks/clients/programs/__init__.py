"""One client a file: its shortest configuration, then its calls. They run in environments of their own."""
