"""Pure rules: the standard library only, no I/O, no clock (now is an argument), no import of another layer."""
