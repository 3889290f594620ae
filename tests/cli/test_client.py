from __future__ import annotations

import pytest

from ottla.cli.client import Address, Client, parse_addresses, refusal
from ottla.cli.errors import CommandError, UnreachableError, UsageError
from ottla.errors import ErrorCode
from ottla.wire.k03_metadata import MetadataRequest, MetadataResponse, MetadataResponseTopic
from ottla.wire.k18_api_versions import ApiVersionsRequest
from ottla.wire.k19_create_topics import CreateTopicsRequest
from tests.cli.fake_broker import FakeBroker


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("a:1", [("a", 1)]),
        ("a", [("a", 9092)]),
        (" a:1 , b:2,", [("a", 1), ("b", 2)]),
        ("[::1]:9", [("::1", 9)]),
        ("[::1]", [("::1", 9092)]),
        ("::1", [("::1", 9092)]),
    ],
)
def test_addresses(text: str, addresses: list[tuple[str, int]]) -> None:
    assert list(parse_addresses(text)) == addresses


@pytest.mark.parametrize("text", ["", ",", "a:", "a:x", ":1", "a:0", "a:65536", "[]:1"])
def test_what_is_no_address(text: str) -> None:
    if text == "a:":
        assert parse_addresses(text) == (Address("a", 9092),)
        return
    with pytest.raises(UsageError):
        parse_addresses(text)


def _client(broker: FakeBroker, timeout_s: float = 10.0) -> Client:
    return Client(parse_addresses(broker.address), "test", timeout_s)


def test_the_newest_version_of_both_is_spoken() -> None:
    with FakeBroker({"t": 2}) as broker, _client(broker) as client:
        broker.versions[3] = (0, 5)
        cluster = client.cluster(["t"])
        assert client.any().version(MetadataRequest) == 5
        assert client.any().version(CreateTopicsRequest) == 7
    assert cluster.brokers == {1: Address("127.0.0.1", broker.port)}
    assert len(cluster.topics["t"].partitions) == 2


def test_an_old_broker_is_asked_again_in_its_way() -> None:
    with FakeBroker() as broker, _client(broker) as client:
        broker.versions[18] = (0, 2)
        assert client.cluster().id == "fake"
    assert [type(request) for request in broker.asked] == [ApiVersionsRequest, MetadataRequest]


def test_a_version_that_nobody_shares_is_said() -> None:
    with FakeBroker() as broker, _client(broker) as client:
        broker.versions[19] = (8, 9)
        with pytest.raises(CommandError, match=r"speaks versions 8 to 9 of CREATE_TOPICS, this command 2 to 7"):
            client.request(CreateTopicsRequest())
        del broker.versions[19]
        client.forget(None)
        with pytest.raises(CommandError, match="speaks no version of CREATE_TOPICS"):
            client.request(CreateTopicsRequest())


@pytest.mark.parametrize(
    "garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\x08\0\0\0\x63\xff\xff\xff\xff", b"\0\0\0\x01x"]
)
def test_what_is_no_broker_is_said(garbage: bytes) -> None:
    with FakeBroker() as broker, _client(broker) as client:
        broker.next_answers[ApiVersionsRequest].append(lambda _: garbage)
        with pytest.raises(CommandError, match="is no Kafka broker, or wants TLS"):
            client.any()


def test_an_answer_that_is_none_names_the_broker() -> None:
    with FakeBroker() as broker, _client(broker) as client:
        client.any()
        # The right correlation id (2), then too little.
        broker.next_answers[MetadataRequest].append(lambda _: b"\0\0\0\x06\0\0\0\x02\0\0")
        with pytest.raises(CommandError, match=f"{broker.address} answered METADATA with bytes that are no answer"):
            client.cluster()


def test_an_answer_to_another_request_is_refused() -> None:
    with FakeBroker() as broker, _client(broker) as client:
        client.any()
        broker.next_answers[MetadataRequest].append(lambda _: b"\0\0\0\x05\0\0\0\x63\0")
        with pytest.raises(CommandError, match="correlation id 99 instead of 2"):
            client.cluster()


def test_a_connection_that_is_closed_is_said_and_opened_anew() -> None:
    with FakeBroker() as broker, _client(broker) as client:
        broker.next_answers[MetadataRequest].append(lambda _: None)
        with pytest.raises(UnreachableError, match=f"{broker.address} closed the connection"):
            client.cluster()
        assert client.cluster().id == "fake"


def test_an_answer_that_does_not_come_ends_the_wait() -> None:
    with FakeBroker() as broker, _client(broker, timeout_s=0.05) as client:
        broker.next_answers[ApiVersionsRequest].append(lambda _: b"")
        with pytest.raises(UnreachableError, match=r"did not answer within 0\.05 s"):
            client.any()


def test_nobody_is_there() -> None:
    with FakeBroker() as broker:
        address = broker.address
    with (
        Client(parse_addresses(address), "test", 1.0) as client,
        pytest.raises(UnreachableError, match="cannot connect"),
    ):
        client.cluster()
    both = parse_addresses(f"{address},{address}")
    with Client(both, "test", 1.0) as client, pytest.raises(UnreachableError, match="none of the brokers"):
        client.cluster()


def test_the_second_bootstrap_address_will_do() -> None:
    with FakeBroker() as gone:
        pass
    with FakeBroker() as broker, Client(parse_addresses(f"{gone.address},{broker.address}"), "test", 5.0) as client:
        assert client.cluster().id == "fake"


def test_a_topic_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ottla.cli.client._RETRY_PAUSE_S", 0.0)
    unborn = MetadataResponseTopic(error_code=ErrorCode.LEADER_NOT_AVAILABLE, name="t")
    with FakeBroker({"t": 1}) as broker, _client(broker) as client:
        broker.next_answers[MetadataRequest].extend([lambda _: MetadataResponse(topics=(unborn,))] * 2)
        assert client.topic("t").name == "t"
        assert sum(isinstance(request, MetadataRequest) for request in broker.asked) == 3
        with pytest.raises(CommandError, match="there is no topic nope"):
            client.topic("nope")


def test_a_refusal_names_subject_code_words_and_remedy() -> None:
    error = refusal("orders-1", ErrorCode.NOT_ENOUGH_REPLICAS, "the words of the broker")
    assert str(error) == (
        "orders-1: NOT_ENOUGH_REPLICAS: the words of the broker\n"
        "  bring brokers back, or lower min.insync.replicas of the topic"
    )
    assert str(refusal("x", 999)) == "x: error 999"
