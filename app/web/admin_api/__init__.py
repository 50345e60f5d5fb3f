"""The admin routes, wire-compatible with LiteLLM: one file a noun. They say what is asked, the desks do it."""
