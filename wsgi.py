"""What gunicorn and flask load: `gunicorn wsgi:app`, `flask --app wsgi doctor`."""

import sys

from app import create_app
from app.environment import SettingsError

try:
    app = create_app()
except SettingsError as error:
    sys.exit(f"outcrop cannot start: {error}")
