"""How fast is it: the gateway between a load and an upstream of its own, next to nothing and next to nginx."""
