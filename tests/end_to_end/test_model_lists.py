"""GET /models of a running gateway: AWS is asked, by signed requests, and once for many who ask."""

from concurrent.futures import ThreadPoolExecutor

import requests

from tests.gateway_process import MASTER_KEY, GatewayProcess
from tests.standin_bedrock import StandinBedrock

MODEL = "anthropic.claude-3-haiku-20240307-v1:0"


def test_models_are_asked_of_aws_once_for_all_who_ask_at_once(standin: StandinBedrock) -> None:
    def ask(path: str) -> requests.Response:
        return requests.get(gateway.url + path, headers={"Authorization": f"Bearer {MASTER_KEY}"}, timeout=30)

    with GatewayProcess(standin=standin) as gateway:
        standin.reset()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, ["/models", "/v1/models", "/v1/model/info", "/model_group/info"] * 4))

        assert {answer.status_code for answer in answers} == {200}
        assert [model["id"] for model in answers[0].json()["data"]] == [MODEL, f"us.{MODEL}"]
        asked = [request for request in standin.requests if request.service == "bedrock"]
        assert [request.target for request in asked if "models" in request.path] == ["/foundation-models"]
        assert len(asked) == 3
        assert all(request.verdict and request.verdict.ok for request in asked)
