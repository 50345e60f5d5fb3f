"""litellm.proxy.client, LiteLLM's library for administrators. A call's prompt is its arguments, as JSON."""

import json
from collections.abc import Callable
from typing import Any

from litellm.proxy.client import (
    Client,
    HealthManagementClient,
    UsersManagementClient,
)

from checks.clients.programs.serving import KEY, URL, serve

client = Client(base_url=URL, api_key=KEY)
health = HealthManagementClient(base_url=URL, api_key=KEY)
users = UsersManagementClient(base_url=URL, api_key=KEY)
METHODS = {
    "keys.generate": client.keys.generate,
    "keys.info": client.keys.info,
    "keys.update": client.keys.update,
    "keys.list": client.keys.list,
    "keys.delete": client.keys.delete,
    "health.get_readiness": health.get_readiness,
    "teams.list": client.teams.list,
    "teams.list_v2": client.teams.list_v2,
    "teams.get_available": client.teams.get_available,
    "users.list_users": users.list_users,
    "users.create_user": users.create_user,
    "users.get_user": users.get_user,
    "users.delete_user": users.delete_user,
    "models.list": client.models.list,
    "models.info": client.models.info,
    "model_groups.info": client.model_groups.info,
    "credentials.list": client.credentials.list,
}


def taking_json(method: Callable[..., Any]) -> Callable[[str], str]:
    return lambda prompt: json.dumps(method(**json.loads(prompt)))


if __name__ == "__main__":
    serve({name: taking_json(method) for name, method in METHODS.items()})
