use super::fetch::wait_at_end;
use super::*;
use crate::limits::IN_FLIGHT_PER_CONNECTION_MAX;
use crate::plane::link::Answer;
use crate::plane::mailbox::LANE_REQUESTS_MAX;

#[test]
fn answers_leave_in_the_order_of_requests() {
    let broker = Broker::new();
    let partitions = broker.lead(1);
    let mut client = Client::new(&broker);
    let call = client.call(12);
    client.send(&broker, &wait_at_end(&call, 1, 1_000), at(0)).unwrap();
    client.send(&broker, &api_versions(2), at(0)).unwrap();
    client.send(&broker, &create_topics(3), at(0)).unwrap();
    client.send(&broker, &api_versions(4), at(0)).unwrap();
    assert!(!client.connection.wants_input(), "nothing is read while a request is away");
    let asked = broker.services.mailbox.drain(10).requests;
    assert_eq!(asked.len(), 1);
    broker.services.outstanding.answer(asked[0].id, Answer::Body(vec![9; 4]));
    assert!(!client.settle(&broker, at(1)), "the fetch still waits");
    assert_eq!(client.answered(at(1)), Vec::<i32>::new());

    let mut other = Client::new(&broker);
    let call = other.call(9);
    other.send(&broker, &produce(&call, 1, 0, 0, &batch(10, None)), at(2)).unwrap();
    assert_eq!(partitions[0].high_watermark(), Offset(1));
    assert!(client.settle(&broker, at(2)));
    assert_eq!(client.answered(at(2)), [1, 2, 3, 4]);
    assert!(client.connection.wants_input());
}

#[test]
fn requests_in_flight_are_bounded() {
    let broker = Broker::new();
    broker.lead(1);
    let mut client = Client::new(&broker);
    let mut frames = Vec::new();
    for _ in 0..IN_FLIGHT_PER_CONNECTION_MAX + 5 {
        let call = client.call(12);
        frames.extend(wait_at_end(&call, 1, 500));
    }
    client.send(&broker, &frames, at(0)).unwrap();
    assert!(!client.connection.wants_input());
    // Their time is over: the first ones are answered, the kept ones take their places.
    assert!(client.settle(&broker, at(500)));
    assert_eq!(client.answered(at(500)).len(), IN_FLIGHT_PER_CONNECTION_MAX);
    assert!(client.connection.wants_input());
    client.settle(&broker, at(1_000));
    assert_eq!(client.answered(at(1_000)).len(), 5);
}

#[test]
fn frames_may_come_in_any_pieces() {
    let broker = Broker::new();
    let mut client = Client::new(&broker);
    let frames: Vec<u8> = (1..=3).flat_map(api_versions).collect();
    for byte in frames {
        client.send(&broker, &[byte], at(0)).unwrap();
    }
    assert_eq!(client.answered(at(0)), [1, 2, 3]);
}

#[test]
fn who_asks_a_cluster_without_brokers_keeps_what_it_knows() {
    let broker = Broker::new();
    let mut client = Client::new(&broker);
    // Metadata v1 of all topics, by hand.
    let frame = [&[0, 0, 0, 18, 0, 3, 0, 1, 0, 0, 0, 1, 0, 4][..], b"test", &[255; 4]].concat();
    client.send(&broker, &frame, at(0)).unwrap();
    assert_eq!(client.answered(at(0)), [1]);
    let cluster = ClusterView { cluster_id: "cluster".into(), ..ClusterView::default() };
    broker.install(ViewDelta { cluster: Some(cluster), ..ViewDelta::default() });
    let closed = client.send(&broker, &frame, at(1)).unwrap_err();
    assert_eq!(closed.0, "the last broker of the cluster stops");
    assert_eq!(client.answered(at(1)), Vec::<i32>::new());
}

#[test]
fn a_late_deadline_behind_the_first_does_not_keep_the_task_awake() {
    let broker = Broker::new();
    broker.lead(1);
    let mut client = Client::new(&broker);
    let call = client.call(12);
    client.send(&broker, &wait_at_end(&call, 1, 30_000), at(0)).unwrap();
    let call = client.call(12);
    client.send(&broker, &wait_at_end(&call, 1, 100), at(0)).unwrap();
    // The second cannot be answered before the first: its deadline wakes nobody.
    assert_eq!(client.connection.deadline(&broker.services), Some(Instant(30_000)));
    assert!(!client.settle(&broker, at(200)));
    assert!(client.connection.deadline(&broker.services) > Some(Instant(200)));
    assert!(client.settle(&broker, at(30_000)));
    assert_eq!(client.answered(at(30_000)), [1, 2]);
}

#[test]
fn a_client_that_never_reads_is_idle() {
    let broker = Broker::with(Limits { idle_ms_max: 1_000, ..Limits::default() });
    let mut client = Client::new(&broker);
    client.send(&broker, &api_versions(1), at(0)).unwrap();
    assert_eq!(client.connection.deadline(&broker.services), Some(Instant(1_000)));
    client.take(10, at(900));
    assert!(!client.connection.is_idle_too_long(&broker.services, at(1_500)), "it took some bytes");
    assert_eq!(client.connection.deadline(&broker.services), Some(Instant(1_900)));
    assert!(client.connection.is_idle_too_long(&broker.services, at(1_900)));
}

#[test]
fn answers_that_wait_for_their_turn_are_bounded() {
    let broker = Broker::new();
    broker.lead(20_000);
    let mut client = Client::new(&broker);
    let call = client.call(12);
    client.send(&broker, &wait_at_end(&call, 1, 500), at(0)).unwrap();
    // Metadata of all topics: some 500 KB each.
    let mut frames = Vec::new();
    for correlation_id in 2..12 {
        frames.extend([0, 0, 0, 14, 0, 3, 0, 1]);
        frames.extend(i32::to_be_bytes(correlation_id));
        frames.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    }
    client.send(&broker, &frames, at(0)).unwrap();
    assert!(!client.connection.wants_input(), "megabytes wait behind the fetch");
    client.settle(&broker, at(500));
    let mut answered = client.answered(at(500));
    assert!(answered.len() < 5, "{answered:?}");
    while client.connection.handle_kept(&broker.services, at(501)).is_ok() {
        let more = client.answered(at(501));
        if more.is_empty() {
            break;
        }
        answered.extend(more);
    }
    assert_eq!(answered, (1..12).collect::<Vec<_>>());
}

#[test]
fn what_was_sent_takes_no_memory() {
    let broker = Broker::new();
    let mut client = Client::new(&broker);
    let answer = {
        client.send(&broker, &api_versions(0), at(0)).unwrap();
        client.answers(at(0))[0].len() + 4
    };
    client.send(&broker, &api_versions(1), at(0)).unwrap();
    // There is always something unsent, so that the buffer is never empty.
    for id in 2..200_000 {
        client.send(&broker, &api_versions(id), at(0)).unwrap();
        client.take(answer, at(0));
        client.received.clear();
    }
    assert_eq!(client.connection.output.unsent_bytes(), answer);
    assert!(client.connection.output.bytes.capacity() < 1 << 20, "{}", client.connection.output.bytes.capacity());
}

#[test]
fn a_request_that_a_full_lane_refused_leaves_nothing_behind() {
    let broker = Broker::new();
    let mut clients: Vec<_> = (0..=LANE_REQUESTS_MAX).map(|_| Client::new(&broker)).collect();
    let mut last = clients.pop().unwrap();
    for client in &mut clients {
        client.send(&broker, &create_topics(1), at(0)).unwrap();
    }
    let links = Arc::strong_count(&last.link);
    let refused = last.send(&broker, &create_topics(1), at(0)).unwrap_err();
    assert!(refused.0.contains("too many CreateTopics requests"), "{}", refused.0);
    assert_eq!(Arc::strong_count(&last.link), links, "somebody still holds the connection");
    assert_eq!(broker.wakes.load(Ordering::SeqCst), 1);
}

#[test]
fn lying_lengths_close_the_connection() {
    let broker = Broker::new();
    for frame in [[0xff, 0xff, 0xff, 0xff], [0x7f, 0xff, 0xff, 0xff]] {
        let closed = Client::new(&broker).send(&broker, &frame, at(0)).unwrap_err();
        assert!(closed.0.contains("socket.request.max.bytes"), "{}", closed.0);
    }
}

#[test]
fn half_a_frame_does_not_keep_a_connection() {
    let broker = Broker::with(Limits { idle_ms_max: 1_000, ..Limits::default() });
    let mut client = Client::new(&broker);
    client.send(&broker, &[0, 0], at(0)).unwrap();
    client.settle(&broker, at(1_000));
    assert!(client.connection.is_idle_too_long(&broker.services, at(1_000)));
}
