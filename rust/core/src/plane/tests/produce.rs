use super::*;

#[test]
fn a_lone_leader_answers_at_once() {
    let broker = Broker::new();
    broker.lead(1);
    let mut client = Client::new(&broker);
    for (acks, base) in [(1, 0), (-1, 1)] {
        let call = client.call(9);
        client.send(&broker, &produce(&call, acks, 1_000, 0, &batch(10, None)), at(0)).unwrap();
        assert_eq!(produced(&client.answers(at(0))[0], 9), (ErrorCode::None, base));
    }
    let call = client.call(9);
    client.send(&broker, &produce(&call, 0, 1_000, 0, &batch(10, None)), at(0)).unwrap();
    assert_eq!(client.answered(at(0)), Vec::<i32>::new(), "acks=0 is not answered");
    let call = client.call(9);
    let closed = client.send(&broker, &produce(&call, 0, 1_000, 7, &batch(10, None)), at(0)).unwrap_err();
    assert!(closed.0.contains("acks=0"), "{}", closed.0);
}

#[test]
fn acks_all_waits_for_the_followers() {
    let broker = Broker::new();
    let partition = broker.lead_with(1, &[THIS, OTHER], 1, LogConfig::default()).remove(0);
    let mut client = Client::new(&broker);
    for _ in 0..2 {
        let call = client.call(9);
        client.send(&broker, &produce(&call, -1, 1_000, 0, &batch(10, None)), at(0)).unwrap();
    }
    assert!(!client.settle(&broker, at(1)));
    partition.follower_reached(OTHER, Offset(1));
    assert!(client.settle(&broker, at(2)));
    assert_eq!(client.answered(at(2)), [1]);
    partition.follower_reached(OTHER, Offset(2));
    assert!(client.settle(&broker, at(3)));
    assert_eq!(produced(&client.answers(at(3))[0], 9), (ErrorCode::None, 1));
    assert_eq!(partition.waiting(), 0);
}

#[test]
fn who_waits_too_long_is_told_so_and_forgotten() {
    let broker = Broker::new();
    let partition = broker.lead_with(1, &[THIS, OTHER], 1, LogConfig::default()).remove(0);
    let mut client = Client::new(&broker);
    let call = client.call(9);
    client.send(&broker, &produce(&call, -1, 100, 0, &batch(10, None)), at(0)).unwrap();
    assert_eq!(client.connection.deadline(&broker.services), Some(Instant(100)));
    assert!(client.settle(&broker, at(100)));
    // As Kafka: the offset is told, since the batch stays.
    assert_eq!(produced(&client.answers(at(100))[0], 9), (ErrorCode::RequestTimedOut, 0));
    assert_eq!(partition.waiting(), 0, "nobody waits any more");

    let call = client.call(9);
    client.send(&broker, &produce(&call, -1, 100, 0, &batch(10, None)), at(200)).unwrap();
    assert_eq!(partition.waiting(), 1);
    client.connection.release();
    assert_eq!(partition.waiting(), 0, "the connection is gone");
}

#[test]
fn a_partition_that_is_given_up_releases_its_producers() {
    let broker = Broker::new();
    let partition = broker.lead_with(1, &[THIS, OTHER], 1, LogConfig::default()).remove(0);
    let mut client = Client::new(&broker);
    let call = client.call(9);
    client.send(&broker, &produce(&call, -1, 1_000, 0, &batch(10, None)), at(0)).unwrap();
    partition.stop();
    assert!(client.settle(&broker, at(1)));
    assert_eq!(produced(&client.answers(at(1))[0], 9).0, ErrorCode::NotLeaderOrFollower);
    let call = client.call(9);
    client.send(&broker, &produce(&call, -1, 1_000, 0, &batch(10, None)), at(2)).unwrap();
    assert_eq!(produced(&client.answers(at(2))[0], 9).0, ErrorCode::NotLeaderOrFollower);
}

#[test]
fn too_few_replicas_refuse_before_the_append() {
    let broker = Broker::new();
    let partition = broker.lead_with(1, &[THIS, OTHER], 2, LogConfig::default()).remove(0);
    assert!(partition.update(Leadership { isr: vec![THIS], ..leadership(0, 1, &[THIS, OTHER]) }, at(0).wall));
    let mut client = Client::new(&broker);
    for (acks, expected) in [(-1, ErrorCode::NotEnoughReplicas), (1, ErrorCode::None)] {
        let call = client.call(9);
        client.send(&broker, &produce(&call, acks, 0, 0, &batch(10, None)), at(0)).unwrap();
        assert_eq!(produced(&client.answers(at(0))[0], 9).0, expected);
    }
}

#[test]
fn a_repeated_batch_waits_as_its_first_sending() {
    let broker = Broker::new();
    let partition = broker.lead_with(1, &[THIS, OTHER], 1, LogConfig::default()).remove(0);
    let (first, second) = (batch(10, Some((5, 0))), batch(10, Some((5, 1))));
    let mut clients: Vec<_> = (0..3).map(|_| Client::new(&broker)).collect();
    for (client, records) in clients.iter_mut().zip([&first, &second, &first]) {
        let call = client.call(9);
        client.send(&broker, &produce(&call, -1, 1_000, 0, records), at(0)).unwrap();
    }
    partition.follower_reached(OTHER, Offset(1));
    let answered: Vec<_> = clients.iter_mut().map(|client| client.settle(&broker, at(1))).collect();
    assert_eq!(answered, [true, false, true], "the first batch is replicated, however often it was sent");
    assert_eq!(produced(&clients[2].answers(at(1))[0], 9), (ErrorCode::None, 0));
}

#[test]
fn a_number_of_acks_that_is_none_does_not_hide_other_errors() {
    let broker = Broker::new();
    broker.lead(1);
    let mut client = Client::new(&broker);
    for (index, expected) in [(0, ErrorCode::InvalidRequiredAcks), (7, ErrorCode::UnknownTopicOrPartition)] {
        let call = client.call(9);
        client.send(&broker, &produce(&call, 3, 0, index, &batch(10, None)), at(0)).unwrap();
        assert_eq!(produced(&client.answers(at(0))[0], 9).0, expected);
    }
}
