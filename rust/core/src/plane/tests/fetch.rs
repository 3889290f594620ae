use super::*;
use crate::wire::fetch::{FetchPartition, FetchRequestHead, FetchRequestWriter, FetchResponse};

/// What a client asks of one partition: index, offset, most bytes.
type Asked = (i32, i64, i32);

fn fetch(call: &Call<'_>, head: FetchRequestHead<'_>, asked: &[Asked]) -> Vec<u8> {
    let mut frame = Vec::new();
    let mut writer = FetchRequestWriter::new(&mut frame, call.correlation_id, call.client_id, call.version, head);
    if !asked.is_empty() {
        writer.topic(TopicRef::Name("orders"));
    }
    for (index, offset, max_bytes) in asked {
        writer.partition(&FetchPartition {
            index: PartitionIndex(*index),
            fetch_offset: Offset(*offset),
            max_bytes: *max_bytes,
            ..FetchPartition::default()
        });
    }
    writer.finish(&[]);
    frame
}

/// A fetch at the end of an empty partition 0, that waits.
pub(super) fn wait_at_end(call: &Call<'_>, min_bytes: i32, max_wait_ms: i32) -> Vec<u8> {
    fetch(call, FetchRequestHead { max_wait_ms, min_bytes, ..FetchRequestHead::default() }, &[(0, 0, 1 << 20)])
}

/// Session, and (index, error, high watermark, bytes of records) of each partition.
fn fetched(frame: &[u8], version: i16) -> (i32, Vec<(i32, ErrorCode, i64, usize)>) {
    let response = FetchResponse::decode(body(frame, keys::FETCH, version), version).unwrap();
    assert_eq!(response.error, ErrorCode::None);
    let partitions = response.topics.iter().flat_map(|topic| topic.partitions.iter());
    let told = partitions.map(|partition| {
        let told = &partition.fetched;
        (told.index.0, told.error, told.high_watermark.0, partition.records.map_or(0, <[u8]>::len))
    });
    (response.session_id, told.collect())
}

fn append(broker: &Broker, index: i32, bytes: usize) -> usize {
    let mut producer = Client::new(broker);
    let call = producer.call(9);
    let records = batch(bytes, None);
    producer.send(broker, &produce(&call, 1, 0, index, &records), at(0)).unwrap();
    assert_eq!(produced(&producer.answers(at(0))[0], 9).0, ErrorCode::None);
    records.len()
}

#[test]
fn a_fetch_waits_for_enough_bytes_and_no_longer() {
    let broker = Broker::new();
    broker.lead(2);
    let mut client = Client::new(&broker);
    let call = client.call(12);
    let head = FetchRequestHead { min_bytes: 1_000, max_wait_ms: 500, ..FetchRequestHead::default() };
    client.send(&broker, &fetch(&call, head, &[(0, 0, 1 << 20), (1, 0, 1 << 20)]), at(0)).unwrap();
    let first = append(&broker, 0, 400);
    assert!(!client.settle(&broker, at(10)), "{first} bytes are not enough");
    let second = append(&broker, 1, 600);
    assert!(client.settle(&broker, at(20)));
    let answers = client.answers(at(20));
    assert_eq!(fetched(&answers[0], 12).1, [(0, ErrorCode::None, 1, first), (1, ErrorCode::None, 1, second)]);
}

#[test]
fn at_its_deadline_a_fetch_is_answered_with_what_there_is() {
    let broker = Broker::new();
    broker.lead(1);
    let mut client = Client::new(&broker);
    let call = client.call(12);
    client.send(&broker, &wait_at_end(&call, 1_000_000, 500), at(0)).unwrap();
    let bytes = append(&broker, 0, 10);
    assert!(!client.settle(&broker, at(499)));
    assert_eq!(client.connection.deadline(&broker.services), Some(Instant(500)));
    assert!(client.settle(&broker, at(500)));
    assert_eq!(fetched(&client.answers(at(500))[0], 12).1, [(0, ErrorCode::None, 1, bytes)]);
}

#[test]
fn limits_hold_but_for_the_first_batch() {
    let broker = Broker::new();
    broker.lead(3);
    let sizes: Vec<usize> = (0..3).map(|index| append(&broker, index, 2_000)).collect();
    for _ in 0..3 {
        append(&broker, 0, 2_000);
    }
    let mut client = Client::new(&broker);
    let mut ask = |max_bytes, asked: &[Asked]| {
        let call = client.call(12);
        let head = FetchRequestHead { max_bytes, ..FetchRequestHead::default() };
        client.send(&broker, &fetch(&call, head, asked), at(0)).unwrap();
        let told = fetched(&client.answers(at(0))[0], 12).1;
        told.into_iter().map(|(_, error, _, bytes)| (error, bytes)).collect::<Vec<_>>()
    };
    let none = |bytes| (ErrorCode::None, bytes);
    assert_eq!(ask(1, &[(0, 0, 1), (1, 0, 1)]), [none(sizes[0]), none(0)], "the first batch comes whole");
    let all = ask(i32::MAX, &[(0, 0, 1), (1, 0, 1 << 20)]);
    assert_eq!(all[0], none(sizes[0]));
    assert_eq!(all[1], none(sizes[1]), "a limit of a partition binds that partition alone");
    let two = sizes[0] as i32 * 2;
    let all = ask(two + 10, &[(0, 0, two), (1, 0, 1 << 20)]);
    assert_eq!(all[0], none(two as usize));
    assert!(all[1].1 <= 10, "nothing beyond the limit of the request");
    assert_eq!(ask(0, &[(0, 0, 1)]), [none(sizes[0])]);
}

#[test]
fn a_session_tells_only_news() {
    let broker = Broker::new();
    broker.lead(3);
    let mut client = Client::new(&broker);
    let call = client.call(12);
    let open = FetchRequestHead { session_epoch: 0, ..FetchRequestHead::default() };
    client.send(&broker, &fetch(&call, open, &[(0, 0, 1 << 20), (1, 0, 1 << 20), (2, 0, 1 << 20)]), at(0)).unwrap();
    let (session_id, told) = fetched(&client.answers(at(0))[0], 12);
    assert_eq!((session_id > 0, told.len()), (true, 3));

    let mut ask = |session_epoch, asked: &[Asked]| {
        let call = client.call(12);
        let head = FetchRequestHead { session_id, session_epoch, ..FetchRequestHead::default() };
        client.send(&broker, &fetch(&call, head, asked), at(0)).unwrap();
        fetched(&client.answers(at(0))[0], 12).1
    };
    assert_eq!(ask(1, &[]), []);
    let bytes = append(&broker, 1, 10);
    assert_eq!(ask(2, &[]), [(1, ErrorCode::None, 1, bytes)]);
    assert_eq!(ask(3, &[(1, 1, 1 << 20)]), [], "told already, and nothing behind");
    append(&broker, 0, 10);
    append(&broker, 1, 10);
    let order: Vec<i32> = ask(4, &[]).iter().map(|told| told.0).collect();
    assert_eq!(order, [0, 1]);

    broker.services.hosted.get(ORDERS, PartitionIndex(2)).unwrap().stop();
    let failed = ask(5, &[(0, 1, 1 << 20), (1, 2, 1 << 20)]);
    assert_eq!(failed, [(2, ErrorCode::NotLeaderOrFollower, -1, 0)]);
    assert_eq!(ask(6, &[]), failed, "an error is news every time");
}

#[test]
fn a_partition_that_is_given_up_answers_who_waits() {
    let broker = Broker::new();
    let partitions = broker.lead(1);
    let mut client = Client::new(&broker);
    let call = client.call(12);
    client.send(&broker, &wait_at_end(&call, 1, 30_000), at(0)).unwrap();
    broker.services.hosted.remove(ORDERS, PartitionIndex(0));
    partitions[0].stop();
    assert!(client.settle(&broker, at(1)));
    assert_eq!(fetched(&client.answers(at(1))[0], 12).1, [(0, ErrorCode::NotLeaderOrFollower, -1, 0)]);
}

#[test]
fn a_connection_that_ends_waits_nowhere() {
    let broker = Broker::new();
    let partitions = broker.lead(1);
    let mut client = Client::new(&broker);
    let call = client.call(12);
    client.send(&broker, &wait_at_end(&call, 1, 30_000), at(0)).unwrap();
    assert_eq!(partitions[0].waiting(), 1);
    client.connection.release();
    assert_eq!(partitions[0].waiting(), 0);
}
