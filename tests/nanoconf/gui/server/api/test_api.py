"""Addresses for programs on a server with a token, limits and a proxy that names users."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Iterator

import pytest
from jsonschema import Draft202012Validator

from backend.runs.archive import Archive
from backend.system import SlitSystem
from nanoconf.gui.server.api.openapi import document
from nanoconf.gui.services.identity import Identity
from nanoconf.surrogate import Surrogate
from tests.support.homes import LONG, submit
from tests.support.web import Answer, WebServer

TOKEN = "slits-and-ions"
KEY, OTHER_KEY = "0123456789abcdef", "fedcba9876543210"

PROXY = "127.0.0.2"
"""Address of this computer from which requests come like those of a proxy."""


ADDRESSES = (f"127.0.1.{number}" for number in itertools.count(1))
"""Addresses of this computer; each test has its own, so that they do not share a rate limit."""

address = ""


@pytest.fixture(autouse=True)
def another_address() -> None:
    global address
    address = next(ADDRESSES)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    options = ["--token", "--max-length=10", "--max-runs=1", f"--trusted-proxy={PROXY}"]
    home = tmp_path_factory.mktemp("api")
    with WebServer(home, options, {"NANOCONF_TOKEN": TOKEN}) as server:
        yield server
        assert TOKEN not in server.output and KEY not in server.output
        assert "Traceback" not in server.output


def ask(server: WebServer, path: str, method: str = "GET", body=None, **options: str) -> Answer:
    """Send a request with the token; a body is sent as JSON."""
    options = {"Authorization": f"Bearer {TOKEN}", "source": address, **options}
    if body is not None:
        options.setdefault("Content_Type", "application/json")
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    return server.get(path, method, text, **options)


def submitted(server: WebServer, body: object, key: str = KEY, **options: str) -> Answer:
    return ask(server, "/api/runs", "POST", body, X_Nanoconf_Key=key, **options)


def cancelled(server: WebServer, run_id: str, key: str = KEY, **options: str) -> Answer:
    return ask(server, f"/api/runs/{run_id}", "DELETE", X_Nanoconf_Key=key, **options)


def error(answer: Answer) -> str:
    """Return the line of an error."""
    assert answer.headers["Content-Type"].startswith("application/json"), answer
    assert answer.body.count("\n") == 1
    return json.loads(answer.body)["error"]


# --- who may ask ----------------------------------------------------------------------------


def test_every_address_asks_for_the_token(server):
    wrong = {"Authorization": "Bearer wrong"}
    for path in ("/api/predict", "/api/runs", f"/api/runs/{'0' * 32}", "/api/openapi.json"):
        for options in ({}, {"Cookie": "username-localhost=forged"}):
            answer = server.get(path, **options)
            assert answer.status == 401 and "Authorization: Bearer TOKEN" in error(answer)
            assert answer.headers["Www-Authenticate"] == "Bearer"
    assert server.get("/api/predict", **wrong).status == 401
    assert server.get("/api/runs", "POST", "{}", X_Nanoconf_Key=KEY).status == 401
    assert server.get("/api/docs").headers["Location"].startswith("/login?")
    assert server.get("/api/predict", Host="evil.example.org").status == 421
    assert not server.kernels


def test_the_cookie_of_the_page_is_accepted_but_does_not_replace_the_key(server):
    cookie = server.get(f"/?token={TOKEN}").cookie
    assert server.get("/api/runs", Cookie=cookie).status == 200
    assert "username" not in str(ask(server, "/api/runs").headers), "programs get no cookie"
    sent = {"Cookie": f"{cookie}; _xsrf=abc", "X_XSRFToken": "abc"}
    answer = server.get("/api/runs", "POST", '{"h": 3.1}', Content_Type="application/json", **sent)
    assert answer.status == 403 and "X-Nanoconf-Key" in error(answer)
    assert json.loads(server.get("/api/runs", Cookie=cookie).body) == {"runs": []}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example.org"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "cors"},
    ],
)
def test_pages_of_other_sites_are_refused(server, method, headers):
    answer = ask(server, "/api/runs", method, X_Nanoconf_Key=KEY, **headers)
    assert answer.status == 403 and "other sites" in error(answer)
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_browser_gets_no_permission_to_send_the_key_from_another_site(server):
    asked = {"Origin": "http://evil.example.org", "Access_Control_Request_Method": "POST"}
    asked["Access_Control_Request_Headers"] = "x-nanoconf-key"
    answer = server.get("/api/runs", "OPTIONS", **asked)
    assert answer.status in (403, 405)
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


def test_links_and_the_page_itself_may_send_requests(server):
    own = {"Origin": f"http://localhost:{server.port}", "Host": f"localhost:{server.port}"}
    assert ask(server, "/api/predict", Sec_Fetch_Site="same-origin", **own).status == 200
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert ask(server, "/api/predict", **link).status == 200
    assert cancelled(server, "0" * 32, **link).status == 403


# --- predictions ----------------------------------------------------------------------------


def test_a_prediction_as_json_and_csv_is_that_of_the_surrogate(server):
    expected = Surrogate.load().predict(SlitSystem(confinement_length=3.4, positive_valency=2))
    answer = ask(server, "/api/predict?h=3.4&zp=2")
    assert answer.status == 200
    values = json.loads(answer.body)
    density = values["profiles"]["negative"]["density_M"]
    assert density == pytest.approx(expected.negative.density, rel=1e-5)
    csv = ask(server, "/api/predict?confinement_length=3.4&positive_valency=2&format=csv")
    assert csv.body == expected.profiles.to_csv()
    assert csv.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert ask(server, "/api/predict?h=3.4&zp=2", Accept="text/csv").body == csv.body
    etag = answer.headers["Etag"]
    assert ask(server, "/api/predict?zp=2&h=3.4", If_None_Match=etag).status == 304
    assert ask(server, "/api/predict?h=3.5", If_None_Match=etag).status == 200


def test_outside_the_training_range_the_answer_says_why(server):
    for path in ("/api/predict?h=8", "/api/predict?h=8&format=csv"):
        answer = ask(server, path)
        assert answer.status == 422
        assert "must lie between 3 and 4 nm" in error(answer) and "simulate" in error(answer)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("h=99", "confinement_length = 99: must lie between 0.6 and 30 nm"),
        ("width=3", "width = '3': is not an argument; known: confinement_length"),
        ("h=3&h=4", "is given more than once"),
        ("h=%ff", "is not a number"),
        ("format=xml", "must be json or csv"),
        ("template=x", "is not an argument"),
        (f"h={'3' * 3000}", "must have at most 2000 characters"),
    ],
)
def test_a_bad_query_is_refused_in_one_line(server, query, words):
    answer = ask(server, f"/api/predict?{query}")
    assert answer.status == 400 and words in error(answer)


def test_other_methods_and_unknown_addresses_are_refused(server):
    answer = ask(server, "/api/predict", "POST", X_Nanoconf_Key=KEY)
    assert answer.status == 405 and answer.headers["Allow"] == "GET"
    assert ask(server, "/api/runs", "PUT").status == 405
    assert ask(server, "/api/predict/").status == ask(server, "/api/nothing").status == 404


def test_too_many_requests_are_refused_for_a_while(server):
    answers = [submitted(server, {"h": 99}) for _ in range(11)]
    assert [answer.status for answer in answers] == [400] * 10 + [429]
    assert "too many requests: try again in" in error(answers[-1])
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 5
    assert ask(server, "/api/predict").status == 200, "predictions have a limit of their own"


# --- runs -----------------------------------------------------------------------------------


def test_a_run_belongs_to_the_key_that_submitted_it(server):
    answer = submitted(server, {"h": 3.1, "ns": 10, "name": "mine"})
    assert answer.status == 202
    run = json.loads(answer.body)
    assert answer.headers["Location"] == f"/api/runs/{run['id']}"
    assert run["mine"] and run["settings"]["duration_ns"] == 10 and run["name"] == "mine"
    assert "folder" not in run and str(server.home) not in answer.body

    stored = Archive(server.home).get(run["id"])
    assert stored.owner == Identity.of_browser({"key": KEY}).owner and KEY not in stored.owner

    shown = json.loads(ask(server, answer.headers["Location"], X_Nanoconf_Key=OTHER_KEY).body)
    assert shown["id"] == run["id"] and not shown["mine"]
    (listed,) = json.loads(ask(server, "/api/runs", X_Nanoconf_Key=KEY).body)["runs"]
    assert listed["mine"]

    no_profiles = ask(server, f"/api/runs/{run['id']}?format=csv")
    assert no_profiles.status == 409 and "no profiles" in error(no_profiles)
    assert ask(server, "/api/runs?format=csv").status == 406

    assert cancelled(server, run["id"], OTHER_KEY).status == 403
    assert cancelled(server, run["id"], stored.owner).status == 403, "its hash is not the key"
    assert not stored.finished and not stored.cancel_requested
    assert cancelled(server, run["id"]).status in (200, 202)
    assert stored.cancel_requested


def test_a_run_from_the_command_line_cannot_be_cancelled(server):
    run = submit(server.home, LONG)
    answer = cancelled(server, run.id)
    assert answer.status == 403 and "nanoconf runs cancel" in error(answer)
    run.cancel()


def test_the_limits_of_the_page_apply(server):
    answer = submitted(server, {"ns": 11})
    assert answer.status == 400 and "must be at most 10 ns" in error(answer)
    for name in ("time_step", "replicas", "coulomb_split", "snapshots", "precision"):
        answer = submitted(server, {"h": 3.2, name: 1})
        assert answer.status == 400 and f"{name} = 1: is not an argument" in error(answer)
    answer = submitted(server, {"h": 3.2, "cluster": "big"})
    assert answer.status == 400 and "cluster" in error(answer)


def test_a_new_key_does_not_bypass_the_limit_on_unfinished_runs(server):
    first = json.loads(submitted(server, {"h": 3.2, "ns": 10}).body)
    refused = submitted(server, {"h": 3.3, "ns": 10})
    assert refused.status == 400 and "the limit is 1" in error(refused)
    new_key = submitted(server, {"h": 3.3, "ns": 10}, OTHER_KEY)
    assert new_key.status == 400 and "from this address" in error(new_key)
    assert cancelled(server, first["id"]).status in (200, 202)


def test_behind_a_gateway_runs_belong_to_the_user(server):
    anna = {"source": PROXY, "X_Forwarded_User": "anna"}
    run = json.loads(submitted(server, {"h": 3.4, "ns": 10}, **anna).body)
    stored = Archive(server.home).get(run["id"])
    assert stored.owner == Identity.of_user("anna").owner
    assert cancelled(server, run["id"]).status == 403
    assert cancelled(server, run["id"], source=PROXY, X_Forwarded_User="bert").status == 403
    forged = cancelled(server, run["id"], X_Forwarded_User="anna")
    assert forged.status == 403, "only the proxy may name the user"
    assert cancelled(server, run["id"], OTHER_KEY, **anna).status in (200, 202)
    without = ask(server, f"/api/runs/{run['id']}", "DELETE", **anna)
    assert without.status == 403 and "X-Nanoconf-Key" in error(without)


@pytest.mark.parametrize(
    ("body", "options", "status", "words"),
    [
        ('{"h": 3.1', {}, 400, "the body is not valid JSON"),
        ('{"h": NaN}', {}, 400, "the body"),
        ("[3.1]", {}, 400, "must be a JSON object"),
        ('{"h": [3]}', {}, 400, "confinement_length = [3]: is not a number"),
        ("h=3.1", {"Content_Type": "application/x-www-form-urlencoded"}, 415, "application/json"),
        ('{"h": 3.1}', {"Content_Type": "text/plain"}, 415, "application/json"),
        (json.dumps({"name": "x" * 20_000}), {}, 413, "at most 16384 bytes"),
        (json.dumps({"name": "x" * 121}), {}, 400, "at most 120 characters"),
    ],
)
def test_a_bad_body_is_refused_in_one_line(server, body, options, status, words):
    answer = submitted(server, body, **options)
    assert answer.status == status and words in error(answer)


def test_a_missing_run_is_reported_without_paths(server):
    for run_id, words in (("0" * 32, "there is no run 000"), ("abc", "not a full run ID")):
        answer = ask(server, f"/api/runs/{run_id}")
        assert answer.status == 404 and words in error(answer)
        assert str(server.home) not in answer.body
    assert ask(server, "/api/runs/..%2f..%2fpasswd").status == 400
    damaged = submit(server.home, LONG, reuse=False)
    (damaged.folder / "run.json").write_text("{")
    for path in (f"/api/runs/{damaged.id}", "/api/runs"):
        answer = ask(server, path)
        assert str(server.home) not in answer.body and damaged.id not in answer.body[40:]
    shutil.rmtree(damaged.folder)
    short = submitted(server, {"h": 3.1}, "short")
    assert short.status == 403 and "16 to 128" in error(short)


# --- documentation --------------------------------------------------------------------------


def test_the_document_describes_what_the_server_accepts(server):
    served = json.loads(ask(server, "/api/openapi.json").body)
    assert served == document("/") and served["openapi"] == "3.1.0"
    assert set(served["paths"]) == {"/api/predict", "/api/runs", "/api/runs/{id}"}
    for methods in served["paths"].values():
        for operation in methods.values():
            codes = set(operation["responses"])
            assert {"200", "400", "401", "403", "429", "503"} <= codes
            for each in operation["parameters"]:
                Draft202012Validator.check_schema(each["schema"])
    predict = served["paths"]["/api/predict"]["get"]["parameters"]
    given = {each["name"]: each["schema"].get("default", "") for each in predict[:-1]}
    pairs = "&".join(f"{name}={value}" for name, value in given.items() if value != "")
    assert "confinement_length=3.0" in pairs
    assert ask(server, f"/api/predict?{pairs}").status == 200
    simulate = served["paths"]["/api/runs"]["post"]["requestBody"]["content"]["application/json"]
    assert "seed" in simulate["schema"]["properties"]
    assert "time_step" not in simulate["schema"]["properties"]


def test_the_api_documentation_needs_no_other_host(server):
    for path in ("/api", "/api/docs"):
        page = ask(server, path)
        assert page.status == 200
        hosts = set(re.findall(r"https?://([\w.:-]+)", page.body))
        assert hosts == {f"127.0.0.1:{server.port}"}
        assert not re.findall(r"<(?:script|img|link rel=.stylesheet)", page.body)
        assert "surface_charge_density" in page.body and "Authorization: Bearer" in page.body
        assert TOKEN not in page.body
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
