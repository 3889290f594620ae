//! Watermarks and who waits for them, with followers played by hand.

use super::*;
use crate::batch::build::{BatchBuilder, BatchOptions, RecordParts};
use crate::batch::compress::Scratch;
use crate::batch::validate::{self, Target, TimestampType};
use crate::disk::Disk;
use crate::disk_sim::SimDisk;
use crate::ids::{ProducerEpoch, ProducerId, Sequence};
use crate::log::LogDirectory;
use crate::replication::waiting::Bell;

const THIS: BrokerId = BrokerId(1);
const TWO: BrokerId = BrokerId(2);
const THREE: BrokerId = BrokerId(3);
const NOW: TimestampMs = TimestampMs(1_000_000);

impl Partition {
    /// A follower has everything below `end`.
    pub(crate) fn follower_reached(&self, follower: BrokerId, end: Offset) {
        let mut state = self.state.lock();
        state.follower_ends.retain(|(known, _)| *known != follower);
        state.follower_ends.push((follower, end));
        state.advance(self.this_broker, self.settings.load().min_insync_replicas, Gain::Any);
    }

    /// How many wait on the partition.
    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().waiters.len()
    }
}

fn leadership(leader_epoch: i32, partition_epoch: i32, isr: &[BrokerId]) -> Leadership {
    let replicas = vec![THIS, TWO, THREE];
    Leadership { leader_epoch: LeaderEpoch(leader_epoch), partition_epoch, replicas, isr: isr.to_vec() }
}

fn settings(min_insync_replicas: usize) -> Arc<TopicSettings> {
    let produce = ProduceRules {
        max_message_bytes: 1 << 20,
        segment_bytes: 1 << 30,
        target: Target::Producer,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        compacted: false,
        decompressed_bytes_max: 1 << 20,
    };
    Arc::new(TopicSettings { produce, log: Arc::default(), min_insync_replicas })
}

fn partition(isr: &[BrokerId], min_insync_replicas: usize) -> Partition {
    let disk: Arc<dyn Disk> = SimDisk::new(1);
    let directory = LogDirectory::new(disk, 10);
    let topic_id = TopicId([7; 16]);
    let log = Log::create(&directory, "orders-0", topic_id, Arc::default(), Offset(0), NOW).unwrap();
    let identity = Identity { topic_id, topic: "orders".into(), index: PartitionIndex(0), this_broker: THIS };
    Partition::lead(identity, settings(min_insync_replicas), leadership(3, 5, isr), Offset(0), log)
}

fn append(partition: &Partition, acks: Acks) -> Result<Appended, Refused> {
    append_under(LeaderEpoch::NONE, partition, acks)
}

fn append_under(meant: LeaderEpoch, partition: &Partition, acks: Acks) -> Result<Appended, Refused> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.add(NOW, &RecordParts { value: Some(b"value"), ..RecordParts::default() });
    let records = builder.finish().unwrap();
    let header = validate::parse_single(&records, 9).unwrap();
    let mut scratch = Scratch::default();
    let checked = validate::check(&records, header, &partition.settings().produce, NOW, &mut scratch).unwrap();
    partition.append_under(meant, Origin::Client, Proof::None, &checked, acks, NOW)
}

fn append_transactional(partition: &Partition, producer_id: ProducerId, producer_epoch: ProducerEpoch) {
    let options = BatchOptions {
        producer_id,
        producer_epoch,
        base_sequence: Sequence(0),
        transactional: true,
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(options);
    builder.add(NOW, &RecordParts { value: Some(b"value"), ..RecordParts::default() });
    let records = builder.finish().unwrap();
    let header = validate::parse_single(&records, 9).unwrap();
    let mut scratch = Scratch::default();
    let checked = validate::check(&records, header, &partition.settings().produce, NOW, &mut scratch).unwrap();
    partition.append_under(LeaderEpoch::NONE, Origin::Client, Proof::Waived, &checked, Acks::All, NOW).unwrap();
}

fn waiter() -> Arc<ProduceWaiter> {
    ProduceWaiter::new(Arc::new(Bell::default()), 1)
}

#[test]
fn the_high_watermark_is_where_the_slowest_in_sync_replica_is() {
    let partition = partition(&[THIS, TWO, THREE], 1);
    for _ in 0..3 {
        assert!(!append(&partition, Acks::All).unwrap().replicated);
    }
    partition.follower_reached(TWO, Offset(3));
    assert_eq!(partition.high_watermark(), Offset(0));
    partition.follower_reached(THREE, Offset(2));
    assert_eq!(partition.high_watermark(), Offset(2));
    partition.follower_reached(THREE, Offset(1));
    assert_eq!(partition.high_watermark(), Offset(2), "it never goes back");
    assert!(partition.update(leadership(3, 6, &[THIS, TWO]), NOW));
    assert_eq!(partition.high_watermark(), Offset(3), "who left the ISR does not hold it back (KAFKA-13091)");
}

#[test]
fn markers_read_back_below_the_high_watermark_hold_nobody_back() {
    let before = partition(&[THIS, TWO], 1);
    let (producer_id, producer_epoch) = (ProducerId(7), ProducerEpoch(0));
    append_transactional(&before, producer_id, producer_epoch);
    let marker = Marker { producer_id, producer_epoch, coordinator_epoch: 0, commit: true, transaction_version: 1 };
    before.append_marker(LeaderEpoch::NONE, &marker, NOW).unwrap();
    let State { log, leadership, .. } = before.state.into_inner();
    let end = log.end();
    assert_eq!(log.producers().last_stable_offset(end), Offset(0), "the log has not heard of a high watermark");
    let identity = Identity { topic_id: before.topic_id, topic: before.topic, index: before.index, this_broker: THIS };
    let after = Partition::lead(identity, settings(1), leadership, end, log);
    assert_eq!(after.state.lock().last_stable, end);
}

#[test]
fn below_the_minimum_nothing_is_committed() {
    let partition = partition(&[THIS, TWO], 2);
    assert!(partition.update(leadership(3, 6, &[THIS]), NOW));
    assert_eq!(append(&partition, Acks::All).unwrap_err().code(), ErrorCode::NotEnoughReplicas);
    append(&partition, Acks::Leader).unwrap();
    assert_eq!(partition.high_watermark(), Offset(0));
    partition.configure(settings(1));
    assert_eq!(partition.high_watermark(), Offset(1));
}

#[test]
fn who_means_another_epoch_appends_and_reads_nothing() {
    let partition = partition(&[THIS], 1);
    for (meant, expected) in
        [(2, Err(ErrorCode::FencedLeaderEpoch)), (4, Err(ErrorCode::UnknownLeaderEpoch)), (3, Ok(()))]
    {
        let meant = LeaderEpoch(meant);
        assert_eq!(append_under(meant, &partition, Acks::All).map(drop).map_err(|refused| refused.code()), expected);
        assert_eq!(partition.admits_under(meant, Acks::All).map_err(|refused| refused.code()), expected);
        assert_eq!(partition.whole(meant).map(drop), expected);
        assert_eq!(partition.leads(meant), expected);
    }
    assert_eq!(partition.whole(LeaderEpoch(3)).unwrap().1, Offset(1));
}

#[test]
fn stale_leadership_changes_nothing() {
    let partition = partition(&[THIS], 1);
    assert!(!partition.update(leadership(2, 9, &[THIS, TWO]), NOW));
    assert!(!partition.update(leadership(3, 4, &[THIS, TWO]), NOW));
    append(&partition, Acks::All).unwrap();
    assert_eq!(partition.high_watermark(), Offset(1), "the ISR is the old one");
    assert!(partition.update(leadership(4, 6, &[THIS]), NOW));
    let reading = |epoch| {
        let request = ReadRequest {
            replica: BrokerId(-1),
            isolation: Isolation::HighWatermark,
            from: Offset(0),
            current_leader_epoch: LeaderEpoch(epoch),
            last_fetched_epoch: None,
            bytes_max: 1,
            whole_first_batch: true,
        };
        partition.read(&request).map(|reading| reading.bytes() > 0)
    };
    assert_eq!(reading(3), Err(ErrorCode::FencedLeaderEpoch));
    assert_eq!(reading(5), Err(ErrorCode::UnknownLeaderEpoch));
    assert_eq!(reading(4), Ok(true));
    partition.stop();
    assert_eq!(reading(4), Err(ErrorCode::NotLeaderOrFollower));
    assert!(partition.update(leadership(5, 7, &[THIS]), NOW), "it may be given back");
    assert_eq!(reading(5), Ok(true));
}

#[test]
fn producers_that_register_in_another_order_are_not_held_up() {
    let partition = partition(&[THIS, TWO], 1);
    let (first, second) = (append(&partition, Acks::All).unwrap(), append(&partition, Acks::All).unwrap());
    let (early, late) = (waiter(), waiter());
    // Two connections: who appended first may come to wait second.
    partition.wait_appended(Awaited::Replicated(second.next_offset), 0, &late);
    partition.wait_appended(Awaited::Replicated(first.next_offset), 0, &early);
    early.seal();
    late.seal();
    partition.follower_reached(TWO, Offset(1));
    assert!(early.is_complete());
    assert!(!late.is_complete());
}

#[test]
fn a_newer_epoch_of_the_same_leader_fails_nobody() {
    let partition = partition(&[THIS, TWO], 1);
    let (first, second) = (append(&partition, Acks::All).unwrap(), append(&partition, Acks::All).unwrap());
    let (one, two) = (waiter(), waiter());
    partition.wait_appended(Awaited::Replicated(first.next_offset), 0, &one);
    assert!(partition.update(leadership(4, 6, &[THIS, TWO]), NOW));
    // As Kafka's DelayedProduce: what was appended by this leader is waited for as long as it leads.
    partition.wait_appended(Awaited::Replicated(second.next_offset), 0, &two);
    one.seal();
    two.seal();
    assert!(!one.is_complete() && !two.is_complete());
    partition.follower_reached(TWO, Offset(2));
    assert_eq!([one.outcome(0), two.outcome(0)], [Some(ErrorCode::None); 2]);
}

#[test]
fn a_reader_hears_of_all_that_became_readable_at_once() {
    let partition = partition(&[THIS], 1);
    append(&partition, Acks::Leader).unwrap();
    // The high watermark lags, then one small append releases everything before it, too.
    partition.configure(settings(2));
    assert!(partition.update(leadership(3, 6, &[THIS]), NOW));
    let size = partition.with_log(|log| log.size()) as i64;
    append(&partition, Acks::Leader).unwrap();
    append(&partition, Acks::Leader).unwrap();
    let fetch = FetchWaiter::new(Arc::new(Bell::default()), 2 * size);
    partition.wait_readable(Isolation::HighWatermark, Offset(1), &fetch).unwrap();
    assert!(!fetch.has_fired());
    partition.configure(settings(1));
    assert!(fetch.has_fired());
}
