use super::*;
use crate::plane::link::Answer;
use crate::plane::standing::{STANDING_PER_CONNECTION_MAX, STANDING_REQUEST_BYTES_MAX, Standing};

const HEARTBEAT: i16 = 12;
const UNTIL: Instant = Instant(10_000);

/// A heartbeat, up to v3, of a client and with a body of any bytes.
fn heartbeat(version: i16, correlation_id: i32, client_id: &str, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend((10 + client_id.len() as i32 + body.len() as i32).to_be_bytes());
    frame.extend(HEARTBEAT.to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend(correlation_id.to_be_bytes());
    frame.extend((client_id.len() as i16).to_be_bytes());
    frame.extend(client_id.as_bytes());
    frame.extend(body);
    frame
}

/// Answers all that went up with `body`, which stands from now on; says how many that were.
fn answer_all(broker: &Broker, body: &[u8], standing: &Arc<Standing>) -> usize {
    let asked = broker.services.mailbox.drain(100).requests;
    for request in &asked {
        broker.services.outstanding.answer(request.id, Answer::Standing(body.to_vec(), standing.clone()));
    }
    asked.len()
}

/// Whether a request is answered at once, and with which body.
fn asked_again(broker: &Broker, client: &mut Client, frame: &[u8], now: Now) -> Option<Vec<u8>> {
    client.send(broker, frame, now).unwrap();
    client.answers(now).pop().map(|answer| answer[4..].to_vec())
}

fn standing() -> Arc<Standing> {
    Standing::new(Instant(1), UNTIL)
}

#[test]
fn the_same_request_is_answered_without_the_control_plane_until_the_answer_is_withdrawn() {
    let broker = Broker::new();
    let (mut client, standing) = (Client::new(&broker), standing());
    client.send(&broker, &heartbeat(3, 1, "c", b"group"), at(1)).unwrap();
    assert_eq!(answer_all(&broker, b"yes", &standing), 1);
    client.settle(&broker, at(2));
    assert_eq!(client.answered(at(2)), [1]);
    assert_eq!(standing.used(), Instant(1));

    let frames: Vec<u8> = (2..5).flat_map(|id| heartbeat(3, id, "c", b"group")).collect();
    client.send(&broker, &frames, at(7)).unwrap();
    assert_eq!(client.answers(at(7)), [b"\0\0\0\x02yes", b"\0\0\0\x03yes", b"\0\0\0\x04yes"]);
    assert_eq!(standing.used(), Instant(7));
    assert!(broker.services.mailbox.drain(100).requests.is_empty());
    assert_eq!(client.link.last_active(), Instant(7));

    assert_eq!(standing.withdraw(), Instant(7));
    assert_eq!(asked_again(&broker, &mut client, &heartbeat(3, 5, "c", b"group"), at(8)), None);
    assert_eq!(standing.withdraw(), Instant(7), "what was not answered is no use");
    assert_eq!(broker.services.mailbox.drain(100).requests.len(), 1);
}

#[test]
fn a_request_that_differs_in_anything_goes_up() {
    let broker = Broker::new();
    for other in [
        heartbeat(3, 2, "c", b"grouq"),
        heartbeat(3, 2, "d", b"group"),
        heartbeat(2, 2, "c", b"group"),
        heartbeat(3, 2, "c", b"group2"),
        heartbeat(3, 2, "", b"group"),
    ] {
        let mut client = Client::new(&broker);
        client.send(&broker, &heartbeat(3, 1, "c", b"group"), at(1)).unwrap();
        answer_all(&broker, b"yes", &standing());
        client.settle(&broker, at(1));
        client.answers(at(1));
        assert_eq!(asked_again(&broker, &mut client, &other, at(1)), None, "{other:?}");
        assert_eq!(answer_all(&broker, b"else", &standing()), 1);
        client.settle(&broker, at(1));
        client.answers(at(1));
        assert_eq!(
            asked_again(&broker, &mut client, &heartbeat(3, 3, "c", b"group"), at(1)).as_deref(),
            Some(&b"yes"[..])
        );
        assert_eq!(asked_again(&broker, &mut client, &other, at(1)).as_deref(), Some(&b"else"[..]));
    }
}

#[test]
fn an_answer_that_was_withdrawn_on_its_way_is_given_once() {
    let broker = Broker::new();
    let (mut client, standing) = (Client::new(&broker), standing());
    client.send(&broker, &heartbeat(3, 1, "c", b"group"), at(1)).unwrap();
    answer_all(&broker, b"yes", &standing);
    standing.withdraw();
    client.settle(&broker, at(1));
    assert_eq!(client.answered(at(1)), [1]);
    assert_eq!(asked_again(&broker, &mut client, &heartbeat(3, 2, "c", b"group"), at(1)), None);
}

#[test]
fn an_answer_ends_by_itself() {
    let broker = Broker::new();
    let (mut client, standing) = (Client::new(&broker), standing());
    client.send(&broker, &heartbeat(3, 1, "c", b"group"), at(1)).unwrap();
    answer_all(&broker, b"yes", &standing);
    client.settle(&broker, at(1));
    client.answers(at(1));
    let last = Instant(UNTIL.0 - 1);
    assert!(asked_again(&broker, &mut client, &heartbeat(3, 2, "c", b"group"), at(last.0)).is_some());
    assert!(asked_again(&broker, &mut client, &heartbeat(3, 3, "c", b"group"), at(UNTIL.0)).is_none());
    assert_eq!(standing.withdraw(), last);
}

#[test]
fn the_latest_answer_to_a_request_counts() {
    let broker = Broker::new();
    let (mut client, first, second) = (Client::new(&broker), standing(), standing());
    let frame = |id| heartbeat(3, id, "c", b"group");
    client.send(&broker, &frame(1), at(1)).unwrap();
    answer_all(&broker, b"one", &first);
    client.settle(&broker, at(1));
    first.withdraw();
    assert!(asked_again(&broker, &mut client, &frame(2), at(2)).is_some(), "the answer to the first");
    answer_all(&broker, b"two", &second);
    client.settle(&broker, at(2));
    client.answers(at(2));
    assert_eq!(asked_again(&broker, &mut client, &frame(3), at(3)).as_deref(), Some(&b"two"[..]));
}

#[test]
fn a_connection_keeps_few_answers_and_those_that_were_withdrawn_make_room() {
    let broker = Broker::new();
    let mut client = Client::new(&broker);
    let frame = |id: i32| heartbeat(3, id, "c", &id.to_be_bytes());
    // Whether an answer stood already; if not, one is given, and stands if there is room.
    let ask = |client: &mut Client, id: i32, standing: &Arc<Standing>| {
        let answer = asked_again(&broker, client, &frame(id), at(1));
        answer_all(&broker, &id.to_be_bytes(), standing);
        client.settle(&broker, at(1));
        client.answers(at(1));
        assert!(answer.as_ref().is_none_or(|body| body[..] == id.to_be_bytes()));
        answer.is_some()
    };
    let count = STANDING_PER_CONNECTION_MAX as i32;
    let kept: Vec<_> = (0..count).map(|_| standing()).collect();
    assert!(!(0..).zip(&kept).any(|(id, standing)| ask(&mut client, id, standing)));
    assert!(!ask(&mut client, count, &standing()));
    assert!((0..).zip(&kept).all(|(id, standing)| ask(&mut client, id, standing)));
    assert!(!ask(&mut client, count, &standing()), "there was no room");
    kept[3].withdraw();
    assert!(!ask(&mut client, count, &standing()));
    assert!(ask(&mut client, count, &standing()));
    assert!(!ask(&mut client, 3, &standing()));
}

#[test]
fn long_requests_are_not_kept() {
    let broker = Broker::new();
    let mut client = Client::new(&broker);
    let frame = heartbeat(3, 1, "c", &vec![7; STANDING_REQUEST_BYTES_MAX]);
    client.send(&broker, &frame, at(1)).unwrap();
    answer_all(&broker, b"yes", &standing());
    client.settle(&broker, at(1));
    assert_eq!(client.answered(at(1)), [1]);
    assert_eq!(asked_again(&broker, &mut client, &frame, at(1)), None);
}

#[test]
fn nothing_overtakes_what_waits() {
    let broker = Broker::new();
    broker.lead(1);
    let (mut client, standing) = (Client::new(&broker), standing());
    client.send(&broker, &heartbeat(3, 1, "c", b"group"), at(1)).unwrap();
    answer_all(&broker, b"yes", &standing);
    client.settle(&broker, at(1));
    client.answers(at(1));
    // Behind a fetch that waits it is answered here, and leaves after that; behind what went up it is not read at all.
    client.next = 1;
    let call = client.call(12);
    client.send(&broker, &super::fetch::wait_at_end(&call, 1, 500), at(2)).unwrap();
    client.send(&broker, &heartbeat(3, 3, "c", b"group"), at(3)).unwrap();
    client.send(&broker, &create_topics(4), at(4)).unwrap();
    client.send(&broker, &heartbeat(3, 5, "c", b"group"), at(5)).unwrap();
    assert_eq!(standing.used(), Instant(3));
    client.settle(&broker, at(502));
    assert_eq!(client.answered(at(502)), [2, 3]);
    let asked = broker.services.mailbox.drain(9).requests;
    broker.services.outstanding.answer(asked[0].id, Answer::Body(vec![9; 4]));
    client.settle(&broker, at(503));
    assert_eq!(client.answered(at(503)), [4, 5]);
    assert_eq!(standing.used(), Instant(503));
}
