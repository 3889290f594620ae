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

/// What the maintenance of a directory does for one log.
fn flush(partition: &Partition) {
    let plan = partition.with_log(Log::flush_plan).unwrap().unwrap();
    let outcome = plan.run();
    partition.flushed(&plan, &outcome);
}

#[test]
fn flush_messages_acknowledges_what_is_on_the_disk() {
    let broker = Broker::new();
    let every = LogConfig { flush_messages: Some(1), ..LogConfig::default() };
    let partition = broker.lead_with(1, &[THIS], 1, every).remove(0);
    for acks in [1, -1] {
        let mut client = Client::new(&broker);
        let repeated = batch(10, Some((i64::from(acks), 0)));
        for records in [&repeated, &batch(10, None), &repeated] {
            let call = client.call(9);
            client.send(&broker, &produce(&call, acks, 40_000, 0, records), at(0)).unwrap();
        }
        assert!(!client.settle(&broker, at(29_999)), "nothing is on the disk");
        flush(&partition);
        assert!(client.settle(&broker, at(29_999)));
        assert_eq!(client.answered(at(29_999)), [1, 2, 3], "one flush is enough for all that came before it");
        assert_eq!(partition.waiting(), 0);
    }
}

#[test]
fn an_append_during_a_flush_waits_for_the_next() {
    let broker = Broker::new();
    let every = LogConfig { flush_messages: Some(1), ..LogConfig::default() };
    let partition = broker.lead_with(1, &[THIS], 1, every).remove(0);
    let mut client = Client::new(&broker);
    let mut send = |now| {
        let call = client.call(9);
        client.send(&broker, &produce(&call, 1, 1_000, 0, &batch(10, None)), now).unwrap();
    };
    send(at(0));
    let plan = partition.with_log(Log::flush_plan).unwrap().unwrap();
    send(at(1));
    let outcome = plan.run();
    partition.flushed(&plan, &outcome);
    assert!(client.settle(&broker, at(2)));
    assert_eq!(client.answered(at(2)), [1]);
    assert_eq!(partition.with_log(|log| log.flush_due_in_ms(at(2).wall)), Some(0));
    flush(&partition);
    assert!(client.settle(&broker, at(3)));
    assert_eq!(client.answered(at(3)), [2]);
}

/// A broker that may have 1,000 unflushed bytes in each log and 2,500 in all of them.
fn narrow() -> Broker {
    let policy = FlushPolicy { log_bytes_max: 1_000, directory_bytes_max: 2_500, age_ms_max: 30_000 };
    Broker { directory: LogDirectory::with_policy(SimDisk::new(1), 10, policy), ..Broker::new() }
}

#[test]
fn a_producer_sends_no_faster_than_the_disk_takes() {
    for acks in [0, 1, -1] {
        let broker = narrow();
        let partition = broker.lead(1).remove(0);
        let mut client = Client::new(&broker);
        for _ in 0..4 {
            let call = client.call(9);
            client.send(&broker, &produce(&call, acks, 1_000, 0, &batch(600, None)), at(0)).unwrap();
        }
        let end = partition.with_log(|log| log.end());
        assert_eq!(end, Offset(2), "the second reached the bound, and nothing behind it was taken");
        assert!(!client.connection.wants_input());
        flush(&partition);
        assert!(client.settle(&broker, at(1)));
        assert_eq!(partition.with_log(|log| log.end()), Offset(4));
        flush(&partition);
        assert!(client.settle(&broker, at(2)));
        assert!(client.connection.wants_input());
        assert_eq!(client.answered(at(2)).len(), if acks == 0 { 0 } else { 4 });
        assert_eq!(broker.directory.window.bytes(), 0);
    }
}

#[test]
fn the_logs_of_a_directory_share_its_bound() {
    let broker = narrow();
    let partitions = broker.lead(4);
    let mut clients: Vec<_> = (0..4).map(|_| Client::new(&broker)).collect();
    for (index, client) in (0..).zip(&mut clients) {
        let call = client.call(9);
        client.send(&broker, &produce(&call, 1, 1_000, index, &batch(700, None)), at(0)).unwrap();
    }
    let waiting: Vec<_> = partitions.iter().map(|partition| partition.waiting()).collect();
    assert_eq!(waiting, [0, 0, 0, 1]);
    assert_eq!(
        partitions[3].with_log(|log| log.flush_due_in_ms(at(0).wall)),
        Some(0),
        "it is flushed, though it is small"
    );
    let before = broker.directory.window.bytes();
    broker.services.hosted.remove(ORDERS, PartitionIndex(0)).unwrap();
    drop(partitions);
    broker.services.hosted.remove(ORDERS, PartitionIndex(1)).unwrap();
    assert_eq!(broker.directory.window.bytes(), before / 2, "what is deleted need not be flushed");
}

#[test]
fn a_disk_that_fails_tells_who_waits() {
    let broker = Broker::new();
    let every = LogConfig { flush_messages: Some(1), ..LogConfig::default() };
    let partition = broker.lead_with(1, &[THIS], 1, every).remove(0);
    let mut client = Client::new(&broker);
    let call = client.call(9);
    client.send(&broker, &produce(&call, 1, 1_000, 0, &batch(10, None)), at(0)).unwrap();
    broker.directory.poison("the disk is on fire");
    partition.fail();
    assert!(client.settle(&broker, at(1)));
    assert_eq!(produced(&client.answers(at(1))[0], 9).0, ErrorCode::KafkaStorageError);
    let call = client.call(9);
    client.send(&broker, &produce(&call, 1, 1_000, 0, &batch(10, None)), at(2)).unwrap();
    assert_eq!(produced(&client.answers(at(2))[0], 9).0, ErrorCode::KafkaStorageError);
}
