"""What the simulator's server promises to dialects, to tests that script faults, and to demos that drive it."""

import http.client
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.simulated.faults import Fault
from connectors.simulated.history import History, read_history
from connectors.simulated.library import CustomerText, Later, Library, NetworkPlan, WorldOptions
from connectors.simulated.server import SimulatedRequest, SimulatedResponse, SimulatedServer, discover_dialects
from connectors.simulated.world import UnknownPost, World, WorldPost
from social.clock import SteppedClock
from social.domain.errors import ConfigurationError
from social.domain.post import PostKind

START = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
QUIET = WorldOptions(posts_per_day=0, history_posts_per_day=0, history_days=1, outage="none", scene=False)
WANTED = CustomerText(
    key="c1",
    language="pl",
    role="question",
    text="Czy pies może wejść?",
    follow_ups=(Later(after=timedelta(minutes=2), text="mały"),),
)
LIBRARY = Library(
    shop_name="Sklep",
    owner="Hanna",
    members={},
    texts=(WANTED,),
    shop_texts=(),
    networks={
        "parrot": NetworkPlan(
            name="parrot",
            share=1.0,
            brand_handle="sklep",
            handle="{handle}",
            ways={PostKind.MENTION: 1.0},
            conversation=PostKind.REPLY,
            address={PostKind.MENTION: "@{brand} {text}"},
        )
    },
)


class Parrot:
    """The smallest network there is: it says what it heard."""

    network = "parrot"

    def native_id(self, post: WorldPost, world: World) -> str:
        return f"parrot-{post.sequence}"

    def handle(self, request: SimulatedRequest, world: World) -> SimulatedResponse:
        match request.method, request.path:
            case "GET", "/heard":
                heard = {"query": dict(request.query), "now": request.now.isoformat(), "base": request.base_url}
                return SimulatedResponse(body={**heard, "agent": request.headers["user-agent"], "by": request.bearer()})
            case "POST", "/replies":
                values = request.json()
                try:
                    post = world.publish("parrot", world.brand("parrot"), values["text"], values.get("to"))
                except UnknownPost as error:
                    return SimulatedResponse(status=404, body={"squawk": str(error)})
                return SimulatedResponse(status=201, body={"id": post.sequence}, headers={"x-parrot": "yes"})
            case "POST", "/form":
                return SimulatedResponse(body=request.form())
            case "GET", "/posts":
                found = [post.sequence for post in world.posts("parrot")]
                return SimulatedResponse(body={"posts": found * (2 if request.fault("duplicate-page") else 1)})
            case "GET", "/bug":
                raise RuntimeError("the parrot fell off")
        return SimulatedResponse(status=204)

    def refuse(
        self, status: int, request: SimulatedRequest, world: World, *, resets_at: datetime | None, reset: str
    ) -> SimulatedResponse:
        headers = {"x-reset": resets_at.isoformat()} if resets_at is not None and reset == "valid" else {}
        if reset == "broken":
            headers = {"x-reset": "soon"}
        return SimulatedResponse(status=status, body={"squawk": status}, headers=headers)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    kept = History.open(tmp_path / "history.jsonl", START, QUIET)
    yield kept
    kept.close()


@pytest.fixture
def server(history: History) -> Iterator[SimulatedServer]:
    world = World(start=START, options=QUIET, library=LIBRARY, record=history.event)
    with SimulatedServer(world, SteppedClock(START), dialects={"parrot": Parrot()}, history=history) as running:
        yield running


def get(server: SimulatedServer, path: str) -> requests.Response:
    return requests.get(f"{server.url}/{path}", timeout=10)


def post(server: SimulatedServer, to: str, /, **values: Any) -> requests.Response:
    return requests.post(f"{server.url}/{to}", json=values, timeout=10)


def replies(server: SimulatedServer) -> list[str]:
    return [post.text for post in server.world.by_author("parrot", "shop")]


# --- dialects ---------------------------------------------------------------------------------------------------------


def test_it_gives_the_dialect_the_request_without_its_prefix(server: SimulatedServer) -> None:
    heard = requests.get(
        f"{server.base_url('parrot')}/heard?a=1&a=2&b=%C5%BC", headers={"User-Agent": "desk"}, timeout=10
    ).json()
    assert heard["query"] == {"a": ["1", "2"], "b": ["ż"]}
    assert (heard["agent"], heard["base"]) == ("desk", server.base_url("parrot"))
    assert heard["now"] == START.isoformat()


def test_it_reads_forms_and_refuses_what_is_not_json(server: SimulatedServer) -> None:
    form = requests.post(f"{server.url}/parrot/form", data={"message": "ż & Co", "empty": ""}, timeout=10)
    assert form.json() == {"message": "ż & Co", "empty": ""}
    broken = requests.post(f"{server.url}/parrot/replies", data="{oops", timeout=10)
    assert (broken.status_code, broken.json()) == (400, {"squawk": 400})


def test_it_says_which_networks_there_are(server: SimulatedServer) -> None:
    answer = get(server, "owl/heard")
    assert answer.status_code == 404
    assert "parrot" in answer.json()["error"]


def test_it_keeps_the_connection(server: SimulatedServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/parrot/replies", json.dumps({"text": "raz"}))
    connection.getresponse().read()
    line = connection.sock
    connection.request("GET", "/parrot/nothing")
    assert connection.getresponse().status == 204
    assert connection.sock is line
    connection.close()


def test_it_shows_a_dialects_bug_as_one(server: SimulatedServer, capfd: pytest.CaptureFixture[str]) -> None:
    answer = get(server, "parrot/bug")
    assert answer.status_code == 500
    assert "bug in the simulated parrot" in answer.json()["error"]
    assert "the parrot fell off" in capfd.readouterr().err


def test_it_refuses_a_body_that_no_network_would_take(server: SimulatedServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.putrequest("POST", "/parrot/replies")
    connection.putheader("Content-Length", str(10**9))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_it_listens_on_this_machine_only(server: SimulatedServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    assert server._listener.socket.getsockname()[0] == "127.0.0.1"


def test_it_finds_the_dialects_by_what_their_modules_declare() -> None:
    for network, dialect in discover_dialects().items():
        assert dialect.network == network
        assert callable(dialect.handle)
        assert callable(dialect.refuse)


# --- faults -----------------------------------------------------------------------------------------------------------


def test_it_hangs_up_before_anything_is_applied(server: SimulatedServer) -> None:
    server.faults.add(Fault(kind="reset"))
    with pytest.raises(requests.ConnectionError, match="reset"):
        post(server, "parrot/replies", text="raz")
    assert replies(server) == []
    assert post(server, "parrot/replies", text="raz").status_code == 201


def test_it_applies_a_write_and_loses_the_answer(server: SimulatedServer) -> None:
    server.faults.add(Fault(kind="drop-answer", method="POST"))
    assert get(server, "parrot/posts").json() == {"posts": []}
    with pytest.raises(requests.ConnectionError):
        post(server, "parrot/replies", text="raz")
    assert replies(server) == ["raz"]


def test_it_accepts_and_never_answers(server: SimulatedServer) -> None:
    server.faults.add(Fault(kind="half-open"))
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{server.url}/parrot/replies", json={"text": "raz"}, timeout=0.2)
    assert replies(server) == []


def test_it_lets_a_half_open_connection_end_when_told(server: SimulatedServer) -> None:
    server.faults.add(Fault(kind="half-open", seconds=0.05))
    with pytest.raises(requests.ConnectionError):
        get(server, "parrot/posts")


def test_it_answers_late_but_answers(server: SimulatedServer) -> None:
    server.faults.add(Fault(kind="latency", seconds=0.05))
    assert get(server, "parrot/posts").json() == {"posts": []}
    assert server.faults.pending() == []


def test_it_answers_one_byte_at_a_time(server: SimulatedServer) -> None:
    server.faults.add(Fault(kind="trickle", seconds=0.001))
    assert get(server, "parrot/posts").json() == {"posts": []}


def test_it_limits_with_a_right_a_missing_and_a_broken_reset_header(server: SimulatedServer) -> None:
    resets_at = (START + timedelta(minutes=10)).isoformat()
    for reset, header in (("valid", resets_at), ("missing", None), ("broken", "soon")):
        server.faults.add(Fault(kind="status", status=429, reset=reset, reset_after=600))
        answer = post(server, "parrot/replies", text="raz")
        assert (answer.status_code, answer.headers.get("x-reset")) == (429, header)
    assert replies(server) == []


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_it_refuses_in_the_networks_own_shape(server: SimulatedServer, status: int) -> None:
    server.faults.add(Fault(kind="status", status=status))
    answer = get(server, "parrot/posts")
    assert (answer.status_code, answer.json()) == (status, {"squawk": status})


def test_it_answers_with_a_web_page_and_with_half_of_its_json(server: SimulatedServer) -> None:
    server.faults.add(Fault(kind="html"))
    page = get(server, "parrot/posts")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    server.faults.add(Fault(kind="truncated"))
    with pytest.raises(requests.JSONDecodeError):
        get(server, "parrot/posts").json()


def test_it_adds_fields_that_nobody_knows(server: SimulatedServer) -> None:
    server.faults.add(Fault(kind="extra-fields"))
    answer = get(server, "parrot/posts").json()
    assert answer.pop("field_from_next_year") == {"beta": True}
    assert answer == {"posts": []}


def test_it_leaves_page_faults_to_the_dialect(server: SimulatedServer) -> None:
    (first,) = [post(server, "parrot/replies", text="raz").json()["id"]]
    server.faults.add(Fault(kind="duplicate-page"))
    assert [get(server, "parrot/posts").json()["posts"] for _ in range(2)] == [[first, first], [first]]


def test_it_hits_only_what_the_script_names_and_as_often(server: SimulatedServer) -> None:
    server.faults.add(Fault(kind="status", network="owl"))
    server.faults.add(Fault(kind="status", network="parrot", method="get", path="^/posts", count=2))
    assert get(server, "parrot/heard").status_code == 200
    assert post(server, "parrot/form").status_code == 200
    assert [get(server, "parrot/posts").status_code for _ in range(3)] == [500, 500, 200]


def test_it_goes_on_for_ever_without_a_count_until_cleared(server: SimulatedServer) -> None:
    post(server, "_world/fault", kind="status", status=503, count=None)
    assert {get(server, "parrot/posts").status_code for _ in range(4)} == {503}
    assert post(server, "_world/fault", clear=True).json() == {"faults": []}
    assert get(server, "parrot/posts").status_code == 200


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"kind": "earthquake"}, "earthquake"),
        ({"kind": "status", "status": 200}, "400 to 599"),
        ({"kind": "reset", "path": "("}, "regular expression"),
        ({"kind": "reset", "count": 0}, "at least 1"),
        ({"kind": "status", "reset": "odd"}, "valid"),
        ({"kind": "latency", "seconds": -1}, "negative"),
        ({"kind": "reset", "colour": "red"}, "colour"),
        ({}, "kind"),
    ],
)
def test_it_names_what_is_wrong_with_a_fault(server: SimulatedServer, values: dict[str, Any], named: str) -> None:
    answer = post(server, "_world/fault", **values)
    assert answer.status_code == 400
    assert named in answer.json()["error"]
    assert server.faults.pending() == []


# --- the control API --------------------------------------------------------------------------------------------------


def test_it_steps_world_time_from_outside(server: SimulatedServer) -> None:
    assert get(server, "_world/clock").json() == {"now": START.isoformat(), "mode": "stepped"}
    post(server, "_world/step", seconds=90)
    answer = post(server, "_world/step", to=(START + timedelta(hours=1)).isoformat())
    assert answer.json() == {"now": (START + timedelta(hours=1)).isoformat()}
    assert get(server, "parrot/heard").json()["now"] == (START + timedelta(hours=1)).isoformat()
    assert post(server, "_world/step", to="2026-11-21").status_code == 400
    assert post(server, "_world/step", seconds=-1).status_code == 400


def test_it_lets_a_customer_write_and_a_person_answer_in_the_app(server: SimulatedServer) -> None:
    question = post(server, "_world/post", network="parrot", text="Czy jest mydło?", author="Ola W").json()
    assert (question["text"], question["kind"], question["ours"]) == ("@sklep Czy jest mydło?", "mention", False)
    answer = post(server, "_world/native-answer", parent=question["sequence"], text="Jest. Hanna").json()
    more = post(server, "_world/post", network="parrot", text="super", author="Ola W", parent=answer["sequence"]).json()
    assert (answer["via"], answer["ours"], more["kind"]) == ("native", True, "reply")
    thread = get(server, f"_world/thread?root={more['sequence']}").json()["posts"]
    assert [post["text"] for post in thread] == ["@sklep Czy jest mydło?", "Jest. Hanna", "super"]
    ours = get(server, "_world/posts?network=parrot&ours=1").json()["posts"]
    assert [post["sequence"] for post in ours] == [answer["sequence"]]
    assert ours[0]["native_id"] == f"parrot-{answer['sequence']}"


def test_it_says_a_shipped_text_with_all_that_follows(server: SimulatedServer) -> None:
    for named in ({"key": "c1"}, {"role": "question"}):
        first = post(server, "_world/post", network="parrot", **named).json()
        post(server, "_world/step", seconds=180)
        thread = get(server, f"_world/thread?root={first['sequence']}").json()["posts"]
        assert [said["text"] for said in thread] == ["@sklep Czy pies może wejść?", "mały"]
    assert post(server, "_world/post", network="parrot", role="praise").status_code == 404


def test_it_puts_a_comment_under_the_newest_post_of_the_shop(server: SimulatedServer) -> None:
    alone = post(server, "_world/post", network="parrot", text="hej", kind="comment").json()
    assert (alone["kind"], alone["parent"]) == ("mention", None)
    newest = post(server, "parrot/replies", text="Nowe mydło").json()["id"]
    comment = post(server, "_world/post", network="parrot", text="hej", kind="comment").json()
    quote = post(server, "_world/post", network="parrot", text="hej", kind="quote").json()
    assert (comment["kind"], comment["parent"]) == ("comment", newest)
    assert (quote["kind"], quote["parent"], quote["quoted"]) == ("quote", None, newest)


def test_it_edits_deletes_blocks_and_closes_replies(server: SimulatedServer) -> None:
    first = post(server, "_world/post", network="parrot", text="raz", author="ola").json()["sequence"]
    assert post(server, "_world/edit", sequence=first, text="dwa").json()["text"] == "dwa"
    post(server, "_world/disable-replies", sequence=first)
    closed = server.world.post(first)
    assert closed is not None
    assert closed.replies_disabled
    post(server, "_world/block", network="parrot", author="ola")
    assert server.world.blocked(closed.author)
    post(server, "_world/block", network="parrot", author="ola", blocked=False)
    assert not server.world.blocked(closed.author)
    post(server, "_world/delete", sequence=first)
    assert server.world.posts("parrot") == []
    assert post(server, "_world/delete", sequence=first).status_code == 404


def test_it_says_what_is_missing_or_unknown(server: SimulatedServer) -> None:
    assert "network" in post(server, "_world/post", text="bez sieci").json()["error"]
    assert post(server, "_world/post", network="owl", text="hu").status_code == 400
    assert post(server, "_world/native-answer", parent=77, text="hej").status_code == 404
    assert "native-answer" in get(server, "_world/nothing").json()["error"]
    assert requests.post(f"{server.url}/_world/post", data="[1]", timeout=10).status_code == 400
    assert get(server, "_world/health").json()["networks"] == ["parrot"]


# --- the history ------------------------------------------------------------------------------------------------------


def test_it_writes_down_requests_and_events_but_no_secret(server: SimulatedServer, history: History) -> None:
    secret = "s3cr3t-t0ken"
    headers = {"Authorization": f"Bearer {secret}"}
    heard = requests.get(f"{server.url}/parrot/heard?access_token={secret}", headers=headers, timeout=10).json()
    assert heard["by"] == secret
    requests.post(f"{server.url}/parrot/replies", json={"text": "raz", "token": secret}, headers=headers, timeout=10)
    server.faults.add(Fault(kind="drop-answer"))
    with pytest.raises(requests.ConnectionError):
        post(server, "parrot/replies", text="dwa")
    lines = read_history(history.path)
    assert [(line["request"], line["path"], line["status"]) for line in lines if "request" in line] == [
        ("GET", "/heard", 200),
        ("POST", "/replies", 201),
        ("POST", "/replies", None),
    ]
    events = [(line["event"], line["by"], line["author"], line["text"]) for line in lines if "event" in line]
    assert events == [("publish", "outside", "shop", "raz"), ("publish", "outside", "shop", "dwa")]
    assert secret not in history.path.read_text()
    assert get(server, "_world/history?after=3").json()["lines"] == lines[3:]


def test_it_says_nothing_of_requests_in_a_log(
    server: SimulatedServer, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="connectors"):
        get(server, "parrot/heard?access_token=s3cr3t")
        server.faults.add(Fault(kind="reset"))
        with pytest.raises(requests.ConnectionError):
            get(server, "parrot/heard?access_token=s3cr3t")
    assert "s3cr3t" not in "".join(capfd.readouterr())
    assert not [record for record in caplog.records if record.name.startswith("connectors")]


def test_it_brings_a_world_back_from_its_file(server: SimulatedServer, history: History) -> None:
    question = post(server, "_world/post", network="parrot", text="Jest?", author="ola").json()["sequence"]
    post(server, "_world/step", seconds=60)
    post(server, "parrot/replies", text="Jest.", to=question)
    history.close()
    opened = History.open(history.path, START + timedelta(days=5), QUIET)
    again = World(start=opened.start, options=opened.options, library=LIBRARY)
    again.restore(opened.events)
    opened.close()
    assert again.thread(question) == server.world.thread(question)
    assert len(again.thread(question)) == 2


def test_it_refuses_a_history_of_another_world(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    History.open(path, START, WorldOptions(seed=3)).close()
    with pytest.raises(ConfigurationError, match=r"another world \(seed = 3\)"):
        History.open(path, START, WorldOptions(seed=4))


def test_it_refuses_a_history_over_other_texts(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    History.open(path, START, QUIET, LIBRARY.fingerprint).close()
    other = replace(LIBRARY, texts=(replace(WANTED, text="Czy kot może wejść?"),))
    with pytest.raises(ConfigurationError, match="other texts"):
        History.open(path, START, QUIET, other.fingerprint)


def test_it_refuses_events_that_do_not_lead_to_the_same_world(server: SimulatedServer, history: History) -> None:
    post(server, "parrot/replies", text="raz")
    events = [line for line in read_history(history.path) if "event" in line]
    for wrong in ({"sequence": 77}, {"parent": 55}):
        with pytest.raises(ConfigurationError, match="same world"):
            World(start=START, options=QUIET, library=LIBRARY).restore([{**event, **wrong} for event in events])


def test_it_refuses_a_file_that_another_simulator_writes(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    first = History.open(path, START, QUIET)
    with pytest.raises(ConfigurationError, match="another simulator"):
        History.open(path, START, QUIET)
    first.close()
    History.open(path, START, QUIET).close()


def test_it_drops_a_line_that_a_crash_cut_off_and_names_any_other_odd_one(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    History.open(path, START, QUIET).close()
    whole = path.read_text()
    path.write_text(whole + '{"event": "publ')
    kept = History.open(path, START, QUIET)
    kept.close()
    assert kept.events == []
    assert path.read_text() == whole
    path.write_text(whole + "not json\n" + '{"event": "delete"}\n')
    with pytest.raises(ConfigurationError, match=r"history\.jsonl:2"):
        History.open(path, START, QUIET)
