"""What Python and Node.js import when they start, so that their clocks are late."""
