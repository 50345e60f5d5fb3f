"""The database: the only importer of SQLAlchemy. Hands out core types, never rows."""
