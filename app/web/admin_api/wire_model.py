"""What all models of queries, bodies and answers are."""

from pydantic import BaseModel, ConfigDict


class WireModel(BaseModel):
    """A model whose validator is made when a request first needs it: a worker's start does not wait for fifty."""

    model_config = ConfigDict(defer_build=True)
