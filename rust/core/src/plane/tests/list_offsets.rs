use super::*;
use crate::wire::client::list_offsets::{ListOffsetsResponse, encode_request as ask};
use crate::wire::list_offsets::{ListOffsetsPartition, special};

fn list(broker: &Broker, client: &mut Client, version: i16, questions: &[(i32, i64)]) -> Vec<(ErrorCode, i64, i64)> {
    let call = client.call(version);
    let questions: Vec<_> = questions
        .iter()
        .map(|(index, timestamp)| ListOffsetsPartition {
            index: PartitionIndex(*index),
            current_leader_epoch: LeaderEpoch::NONE,
            timestamp: *timestamp,
        })
        .collect();
    let mut frame = Vec::new();
    ask(&mut frame, &call, BrokerId(-1), 0, &[("orders", &questions)], 0);
    client.send(broker, &frame, at(0)).unwrap();
    // Times are searched by a pool thread.
    while client.connection.output.is_empty() {
        client.settle(broker, at(0));
        std::thread::yield_now();
    }
    let frames = client.answers(at(0));
    let response = ListOffsetsResponse::decode(body(&frames[0], keys::LIST_OFFSETS, version), version).unwrap();
    let listed = response.topics.iter().flat_map(|topic| topic.partitions.iter());
    listed.map(|listed| (listed.error, listed.timestamp.0, listed.offset.0)).collect()
}

#[test]
fn places_and_times() {
    let broker = Broker::new();
    broker.lead(1);
    let mut client = Client::new(&broker);
    for _ in 0..3 {
        let call = client.call(9);
        client.send(&broker, &produce(&call, 1, 0, 0, &batch(10, None)), at(0)).unwrap();
        client.answers(at(0));
    }
    let time = at(0).wall.0;
    let none = ErrorCode::None;
    assert_eq!(list(&broker, &mut client, 8, &[(0, special::LATEST)]), [(none, -1, 3)]);
    assert_eq!(list(&broker, &mut client, 8, &[(0, special::EARLIEST)]), [(none, -1, 0)]);
    assert_eq!(list(&broker, &mut client, 8, &[(0, time)]), [(none, time, 0)]);
    assert_eq!(list(&broker, &mut client, 8, &[(0, time + 1)]), [(none, -1, -1)]);
    assert_eq!(list(&broker, &mut client, 8, &[(0, special::MAX_TIMESTAMP)]), [(none, time, 0)]);
}

#[test]
fn what_cannot_be_listed() {
    let broker = Broker::new();
    broker.lead(2);
    let mut client = Client::new(&broker);
    let refused = |error| (error, -1, -1);
    let listed = list(&broker, &mut client, 6, &[(0, special::MAX_TIMESTAMP), (9, special::LATEST), (1, -99)]);
    let expected = [ErrorCode::UnsupportedVersion, ErrorCode::UnknownTopicOrPartition, ErrorCode::UnsupportedVersion];
    assert_eq!(listed, expected.map(refused));
    let twice = list(&broker, &mut client, 6, &[(0, special::LATEST), (1, special::LATEST), (0, special::EARLIEST)]);
    let latest = (ErrorCode::None, -1, 0);
    assert_eq!(twice, [refused(ErrorCode::InvalidRequest), latest], "what is asked twice is answered once");
    broker.services.hosted.get(ORDERS, PartitionIndex(0)).unwrap().stop();
    broker.services.hosted.remove(ORDERS, PartitionIndex(0));
    assert_eq!(list(&broker, &mut client, 6, &[(0, special::LATEST)]), [refused(ErrorCode::NotLeaderOrFollower)]);
}
