"""HTTP in, HTTP out: Flask stops here. Turns a request into a core type, and an answer or an error into a response."""
