"""Database, spool and Redis: the only importer of SQLAlchemy and redis. Hands out core types, never rows."""
