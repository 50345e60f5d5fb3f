"""What the gateway does to a call: no Flask, no SQL, no requests. What it needs from outside is in ports.py."""
