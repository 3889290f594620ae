use super::*;
use crate::batch::header::{CONTROL, TRANSACTIONAL};
use crate::batch::snapshot;
use crate::ids::LeaderEpoch;
use proptest::prelude::*;

fn data(id: i64, epoch: i16, sequence: i32, count: i32, offset: i64, transactional: bool) -> BatchHeader {
    BatchHeader {
        base_offset: Offset(offset),
        batch_length: 100,
        leader_epoch: LeaderEpoch(0),
        checksum: 0,
        attributes: if transactional { TRANSACTIONAL } else { 0 },
        last_offset_delta: count - 1,
        base_timestamp: TimestampMs(offset),
        max_timestamp: TimestampMs(1_000 + offset),
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(epoch),
        base_sequence: Sequence(sequence),
        record_count: count,
    }
}

fn control(id: i64, epoch: i16, offset: i64) -> BatchHeader {
    let header = data(id, epoch, -1, 1, offset, true);
    BatchHeader { attributes: TRANSACTIONAL | CONTROL, ..header }
}

fn marker(aborted: bool, coordinator_epoch: i32) -> EndMarker {
    EndMarker { aborted, coordinator_epoch, timestamp: TimestampMs(5_000) }
}

fn reason(states: &ProducerStates, header: &BatchHeader, origin: Origin) -> Reason {
    states.verdict(header, origin).unwrap_err().reason
}

#[test]
fn batches_follow_each_other() {
    let mut states = ProducerStates::new();
    // Nothing is known: any sequence will do.
    let first = data(1, 0, 7, 3, 100, false);
    assert_eq!(states.verdict(&first, Origin::Client), Ok(Verdict::Append));
    assert_eq!(states.apply(&first, None), None);
    assert_eq!(states.verdict(&data(1, 0, 10, 1, 103, false), Origin::Client), Ok(Verdict::Append));
    for sequence in [7, 9, 11, 0] {
        let refused = reason(&states, &data(1, 0, sequence, 1, 103, false), Origin::Client);
        assert_eq!(refused, Reason::Sequence { sequence: Sequence(sequence), last: Sequence(9) });
    }
    let refusal = states.verdict(&data(1, 0, 11, 1, 103, false), Origin::Client).unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(
        refusal.message(&"t-0"),
        "Out of order sequence number for producer 1 at offset 103 in partition t-0: 11 (incoming seq. number), 9 \
         (current end sequence number)"
    );
}

#[test]
fn the_last_five_batches_are_recognised() {
    let mut states = ProducerStates::new();
    for batch in 0..7 {
        states.apply(&data(1, 0, batch * 2, 2, i64::from(batch) * 10, false), None);
    }
    for batch in 0..7 {
        let again = data(1, 0, batch * 2, 2, 1_000, false);
        if batch < 2 {
            let refused = Reason::Sequence { sequence: Sequence(batch * 2), last: Sequence(13) };
            assert_eq!(reason(&states, &again, Origin::Client), refused);
        } else {
            let Ok(Verdict::Duplicate(known)) = states.verdict(&again, Origin::Client) else { panic!("{batch}") };
            assert_eq!(known.first_offset(), Offset(i64::from(batch) * 10));
            assert_eq!(known.timestamp, TimestampMs(1_000 + i64::from(batch) * 10));
        }
    }
    // Half of a batch is no repeat of it.
    assert!(states.verdict(&data(1, 0, 12, 1, 1_000, false), Origin::Client).is_err());
    // Nor is it one from a coordinator, which is not asked for sequences.
    assert_eq!(states.verdict(&data(1, 0, 12, 2, 1_000, false), Origin::Coordinator), Ok(Verdict::Append));
}

#[test]
fn sequences_wrap() {
    let mut states = ProducerStates::new();
    let header = data(1, 0, i32::MAX - 1, 4, 0, false);
    assert_eq!(header.last_sequence(), Sequence(1));
    states.apply(&header, None);
    assert_eq!(states.get(ProducerId(1)).unwrap().batches()[0].first_sequence(), Sequence(i32::MAX - 1));
    assert!(matches!(states.verdict(&header, Origin::Client), Ok(Verdict::Duplicate(_))));
    assert_eq!(states.verdict(&data(1, 0, 2, 1, 4, false), Origin::Client), Ok(Verdict::Append));
    states.apply(&data(1, 0, 2, i32::MAX - 1, 4, false), None);
    assert_eq!(states.verdict(&data(1, 0, 0, 1, 9, false), Origin::Client), Ok(Verdict::Append));
}

#[test]
fn epochs_only_rise_and_begin_with_zero() {
    let mut states = ProducerStates::new();
    states.apply(&data(1, 3, 0, 1, 0, false), None);
    let older = data(1, 2, 1, 1, 1, false);
    let epoch = Reason::Epoch { epoch: ProducerEpoch(2), known: ProducerEpoch(3), transaction_version: -1 };
    assert_eq!(reason(&states, &older, Origin::Client), epoch);
    assert_eq!(reason(&states, &older, Origin::Coordinator), epoch);
    assert_eq!(states.verdict(&older, Origin::Client).unwrap_err().code(), ErrorCode::InvalidProducerEpoch);
    assert_eq!(states.verdict(&older, Origin::Replication), Ok(Verdict::Append));
    assert!(matches!(reason(&states, &data(1, 4, 1, 1, 1, false), Origin::Client), Reason::FirstSequence { .. }));
    assert_eq!(states.verdict(&data(1, 4, 1, 1, 1, false), Origin::Coordinator), Ok(Verdict::Append));
    let newer = data(1, 4, 0, 1, 1, false);
    assert_eq!(states.verdict(&newer, Origin::Client), Ok(Verdict::Append));
    states.apply(&newer, None);
    assert_eq!(states.get(ProducerId(1)).unwrap().batches().len(), 1);
}

#[test]
fn a_producer_known_by_a_marker_alone_begins_with_zero() {
    let mut states = ProducerStates::new();
    states.apply(&control(1, 3, 0), Some(marker(false, 1)));
    assert!(states.verdict(&data(1, 3, 5, 1, 1, true), Origin::Client).is_err());
    assert_eq!(states.verdict(&data(1, 3, 0, 1, 1, true), Origin::Client), Ok(Verdict::Append));
}

#[test]
fn markers_end_transactions() {
    let mut states = ProducerStates::new();
    states.apply(&data(1, 0, 0, 2, 10, true), None);
    states.apply(&data(2, 0, 0, 1, 12, true), None);
    states.apply(&data(1, 0, 2, 1, 13, true), None);
    assert_eq!(states.first_undecided_offset(), Some(Offset(10)));
    assert_eq!(reason(&states, &data(1, 0, 3, 1, 14, false), Origin::Client), Reason::NotTransactional);

    let completed = states.apply(&control(1, 0, 14), Some(marker(true, 4))).unwrap();
    assert_eq!(completed.producer_id, ProducerId(1));
    assert_eq!((completed.first_offset, completed.last_offset), (Offset(10), Offset(14)));
    assert!(completed.aborted);
    assert_eq!(completed.last_stable_offset, Offset(12));
    assert_eq!(states.first_undecided_offset(), Some(Offset(12)));
    // The marker is not known to be replicated.
    assert_eq!(states.last_stable_offset(Offset(14)), Offset(10));
    states.advance(Offset(14));
    assert_eq!(states.last_stable_offset(Offset(14)), Offset(10));
    states.advance(Offset(15));
    assert_eq!(states.last_stable_offset(Offset(15)), Offset(12));

    let completed = states.apply(&control(2, 0, 15), Some(marker(false, 4))).unwrap();
    assert_eq!(completed.last_stable_offset, Offset(16));
    states.advance(Offset(16));
    assert_eq!((states.first_unstable_offset(), states.last_stable_offset(Offset(16))), (None, Offset(16)));
    // A marker without a transaction ends none, and the batches of its epoch stay known.
    assert_eq!(states.apply(&control(1, 0, 16), Some(marker(true, 4))), None);
    assert!(matches!(states.verdict(&data(1, 0, 2, 1, 17, true), Origin::Client), Ok(Verdict::Duplicate(_))));
    assert_eq!(states.apply(&control(1, 1, 17), Some(marker(true, 4))), None);
    assert!(states.get(ProducerId(1)).unwrap().batches().is_empty());
}

#[test]
fn markers_are_fenced() {
    let mut states = ProducerStates::new();
    states.apply(&data(1, 5, 0, 1, 0, true), None);
    let verdict = |states: &ProducerStates, epoch, coordinator, version| {
        states.verdict(&control(1, epoch, 9), Origin::Marker(marker(false, coordinator), version))
    };
    assert!(verdict(&states, 5, 0, 0).is_ok());
    assert_eq!(verdict(&states, 4, 0, 1).unwrap_err().code(), ErrorCode::InvalidProducerEpoch);
    // The second version raises the epoch.
    let refusal = verdict(&states, 5, 0, 2).unwrap_err();
    assert_eq!(
        refusal.message(&"t-0"),
        "Epoch of producer 1 at offset 9 in t-0 is 5, which is <= the last seen epoch 5 (TV2)"
    );
    assert!(verdict(&states, 6, 0, 2).is_ok());
    states.apply(&control(1, 6, 1), Some(marker(false, 3)));
    // A retry of the same marker is fine, one of an older coordinator is not.
    assert!(verdict(&states, 6, 3, 2).is_ok());
    assert_eq!(verdict(&states, 6, 2, 2).unwrap_err().code(), ErrorCode::TransactionCoordinatorFenced);
    assert_eq!(verdict(&states, 5, 3, 2).unwrap_err().code(), ErrorCode::InvalidProducerEpoch);
    // The last epoch there is cannot be raised.
    states.apply(&data(1, i16::MAX, 0, 1, 2, true), None);
    assert!(verdict(&states, i16::MAX, 3, 2).is_ok());
}

#[test]
fn idle_producers_are_forgotten_unless_in_a_transaction() {
    let mut states = ProducerStates::new();
    states.apply(&data(1, 0, 0, 1, 0, false), None);
    states.apply(&data(2, 0, 0, 1, 1, true), None);
    states.apply(&data(3, 0, 0, 1, 2, false), None);
    assert_eq!(states.expire(TimestampMs(1_999), 1_000), 0);
    assert_eq!(states.expire(TimestampMs(2_001), 1_000), 1);
    assert_eq!(states.expire(TimestampMs(i64::MAX), 1_000), 1);
    assert!(states.get(ProducerId(2)).is_some());
    states.clear();
    assert!(states.is_empty() && states.first_unstable_offset().is_none());
}

#[test]
fn batches_without_a_producer_leave_no_trace() {
    let mut states = ProducerStates::new();
    let header = data(-1, -1, -1, 5, 0, false);
    assert_eq!(states.verdict(&header, Origin::Client), Ok(Verdict::Append));
    states.apply(&header, None);
    // Nor do control batches that compaction has emptied.
    states.apply(&control(1, 0, 5), None);
    assert!(states.is_empty());
}

#[test]
fn a_producer_takes_little_memory() {
    assert!(size_of::<Producer>() <= 160, "{}", size_of::<Producer>());
    let mut states = ProducerStates::new();
    for id in 0..1_000 {
        states.apply(&data(id, 0, 0, 1, id, false), None);
    }
    assert!(states.memory_bytes() / 1_000 < 400, "{}", states.memory_bytes());
}

/// The same, dumb: everything is found by looking through all that ever happened.
#[derive(Default)]
struct Model {
    log: Vec<(BatchHeader, Option<EndMarker>)>,
    high_watermark: Offset,
}

struct Known {
    epoch: i16,
    coordinator_epoch: i32,
    batches: Vec<BatchHeader>,
    transaction: Option<i64>,
}

impl Model {
    fn known(&self, id: ProducerId) -> Known {
        let mut known = Known { epoch: -1, coordinator_epoch: -1, batches: Vec::new(), transaction: None };
        for (header, marker) in self.log.iter().filter(|(header, _)| header.producer_id == id) {
            if header.producer_epoch.0 != known.epoch {
                known.batches.clear();
            }
            known.epoch = header.producer_epoch.0;
            if let Some(marker) = marker {
                known.coordinator_epoch = marker.coordinator_epoch;
                known.transaction = None;
                continue;
            }
            known.batches.push(*header);
            if header.is_transactional() {
                known.transaction = known.transaction.or(Some(header.base_offset.0));
            }
        }
        known
    }

    /// None for «append», an offset for «duplicate of the batch there», a code for «refused».
    fn verdict(&self, header: &BatchHeader, origin: Origin) -> Result<Option<i64>, ErrorCode> {
        let known = self.known(header.producer_id);
        let (epoch, client) = (header.producer_epoch.0, origin == Origin::Client);
        if let Origin::Marker(marker, version) = origin {
            let fine = match version {
                0 | 1 => epoch >= known.epoch,
                _ => epoch > known.epoch || epoch == known.epoch && (known.transaction.is_none() || epoch == i16::MAX),
            };
            return if !fine {
                Err(ErrorCode::InvalidProducerEpoch)
            } else if marker.coordinator_epoch < known.coordinator_epoch {
                Err(ErrorCode::TransactionCoordinatorFenced)
            } else {
                Ok(None)
            };
        }
        if client && epoch == known.epoch {
            let sequences = |header: &BatchHeader| (header.base_sequence, header.last_sequence());
            let newest = known.batches.iter().rev().take(5);
            if let Some(same) = newest.rev().find(|batch| sequences(batch) == sequences(header)) {
                return Ok(Some(same.base_offset.0));
            }
        }
        if origin != Origin::Replication && epoch < known.epoch {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        if client && known.epoch != -1 {
            let expected = match known.batches.last() {
                Some(last) if epoch == known.epoch => (i64::from(last.last_sequence().0) + 1) % (1 << 31),
                _ => 0,
            };
            if i64::from(header.base_sequence.0) != expected {
                return Err(ErrorCode::OutOfOrderSequenceNumber);
            }
        }
        if known.transaction.is_some() && !header.is_transactional() {
            return Err(ErrorCode::InvalidTxnState);
        }
        Ok(None)
    }

    /// All transactions: first offset, offset of the marker.
    fn transactions(&self) -> Vec<(i64, Option<i64>)> {
        let mut found: Vec<(ProducerId, i64, Option<i64>)> = Vec::new();
        for (header, marker) in &self.log {
            let open = found.iter_mut().find(|(id, _, end)| *id == header.producer_id && end.is_none());
            match (marker, open) {
                (Some(_), Some((_, _, end))) => *end = Some(header.base_offset.0),
                (None, None) if header.is_transactional() => {
                    found.push((header.producer_id, header.base_offset.0, None));
                }
                _ => {}
            }
        }
        found.into_iter().map(|(_, first, end)| (first, end)).collect()
    }

    fn first_unstable(&self) -> Option<Offset> {
        let settled = |end: &Option<i64>| end.is_some_and(|end| end < self.high_watermark.0);
        self.transactions().iter().filter(|(_, end)| !settled(end)).map(|(first, _)| Offset(*first)).min()
    }

    fn end(&self) -> i64 {
        self.log.last().map_or(0, |(header, _)| header.next_offset().0)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Data { id: i64, epoch: i16, back: i32, count: i32, transactional: bool, origin: Origin },
    End { id: i64, epoch: i16, aborted: bool, coordinator_epoch: i32, version: i16 },
    Advance(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let origin = prop_oneof![6 => Just(Origin::Client), 1 => Just(Origin::Coordinator), 1 => Just(Origin::Replication)];
    // How far before the expected sequence the batch begins: mostly right on, at times a repeat or a gap.
    let back = prop_oneof![6 => Just(0), 4 => 1_i32..16, 1 => Just(-1)];
    prop_oneof![
        8 => (0_i64..3, 0_i16..3, back, 1_i32..4, any::<bool>(), origin).prop_map(
            |(id, epoch, back, count, transactional, origin)| Step::Data { id, epoch, back, count, transactional, origin }
        ),
        2 => (0_i64..3, 0_i16..4, any::<bool>(), 0_i32..3, 0_i16..3).prop_map(
            |(id, epoch, aborted, coordinator_epoch, version)| Step::End { id, epoch, aborted, coordinator_epoch, version }
        ),
        1 => (0_i64..5).prop_map(Step::Advance),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn agrees_with_looking_through_all_that_happened(
        start in prop_oneof![Just(0), Just(i32::MAX - 5)],
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut model = Model::default();
        let mut states = ProducerStates::new();
        for step in steps {
            let end = model.end();
            let (header, origin) = match step {
                Step::Data { id, epoch, back, count, transactional, origin } => {
                    let known = model.known(ProducerId(id));
                    let next = known.batches.last().map_or(start, |batch| batch.last_sequence().plus(1).0);
                    let next = if known.epoch == epoch || known.epoch == -1 { next } else { 0 };
                    let sequence = (i64::from(next) - i64::from(back)).rem_euclid(1 << 31) as i32;
                    (data(id, epoch, sequence, count, end, transactional), origin)
                }
                Step::End { id, epoch, aborted, coordinator_epoch, version } => {
                    (control(id, epoch, end), Origin::Marker(marker(aborted, coordinator_epoch), version))
                }
                Step::Advance(back) => {
                    model.high_watermark = model.high_watermark.max(Offset((end - back).max(0)));
                    states.advance(model.high_watermark);
                    prop_assert_eq!(states.first_unstable_offset(), model.first_unstable());
                    continue;
                }
            };
            let expected = model.verdict(&header, origin);
            let verdict = states.verdict(&header, origin);
            let seen = verdict.map_err(|refusal| refusal.code()).map(|verdict| match verdict {
                Verdict::Append => None,
                Verdict::Duplicate(batch) => Some(batch.first_offset().0),
            });
            prop_assert_eq!(seen, expected, "{:?} {:?}", header, origin);
            if expected == Ok(None) {
                let ended = if let Origin::Marker(marker, _) = origin { Some(marker) } else { None };
                let open = model.known(header.producer_id).transaction;
                let completed = states.apply(&header, ended);
                model.log.push((header, ended));
                prop_assert_eq!(completed.map(|completed| completed.first_offset.0), ended.and(open));
                if let Some(completed) = completed {
                    let others = model.transactions().into_iter().filter(|(_, end)| end.is_none());
                    let stable = others.map(|(first, _)| first).min().unwrap_or(header.next_offset().0);
                    prop_assert_eq!(completed.last_stable_offset.0, stable);
                }
            }
            prop_assert_eq!(states.first_unstable_offset(), model.first_unstable());
        }
        // Replay gives the same state, and a snapshot all but the older batches and what is already decided.
        let mut replayed = ProducerStates::new();
        for (header, ended) in &model.log {
            replayed.apply(header, *ended);
        }
        replayed.advance(model.high_watermark);
        states.advance(model.high_watermark);
        prop_assert_eq!(&replayed, &states);
        let bytes = snapshot::encode(&states);
        let restored = snapshot::decode(&bytes, TimestampMs(0), i64::MAX).unwrap();
        prop_assert_eq!(snapshot::encode(&restored), bytes);
        prop_assert_eq!(restored.len(), states.len());
        prop_assert_eq!(restored.first_undecided_offset(), states.first_undecided_offset());
        for (id, producer) in states.iter() {
            let back = restored.get(id).unwrap();
            prop_assert_eq!(back.batches().last().map(|batch| (batch.first_sequence(), batch.last_offset)),
                producer.batches().last().map(|batch| (batch.first_sequence(), batch.last_offset)));
            prop_assert_eq!(back.transaction_first_offset(), producer.transaction_first_offset());
        }
    }
}
