"""What gunicorn and flask load: `gunicorn wsgi:app`, `flask --app wsgi doctor`."""

from app import create_app

app = create_app()
