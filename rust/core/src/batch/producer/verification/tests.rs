use super::*;
use crate::batch::build::BatchOptions;
use crate::batch::control::EndMarker;
use crate::batch::header::{BATCH_HEADER_BYTES, CONTROL, TRANSACTIONAL};
use crate::error::ErrorCode;
use crate::ids::Offset;

const P: ProducerId = ProducerId(7);
const NOW: TimestampMs = TimestampMs(1_000);

/// The state of a partition's producers, beside the guards that were taken of it.
#[derive(Default)]
struct Side {
    known: ProducerStates,
    guards: Guards,
    end: i64,
}

fn header(epoch: i16, sequence: i32, transactional: bool, offset: i64) -> BatchHeader {
    let options = BatchOptions {
        base_offset: Offset(offset),
        producer_id: P,
        producer_epoch: ProducerEpoch(epoch),
        base_sequence: Sequence(sequence),
        transactional,
        ..BatchOptions::default()
    };
    let mut builder = crate::batch::build::BatchBuilder::new(options);
    builder.add(NOW, &crate::batch::build::RecordParts::default());
    BatchHeader::decode(&builder.finish().unwrap()).unwrap()
}

impl Side {
    fn claim(&mut self, epoch: i16, sequence: i32, second_version: bool) -> Result<Claimed, Reason> {
        let (producer_epoch, sequence) = (ProducerEpoch(epoch), Sequence(sequence));
        self.guards.claim(&self.known, &Claim { producer_id: P, producer_epoch, sequence, second_version }, NOW)
    }

    fn guard(&mut self, epoch: i16, sequence: i32) -> Guard {
        let Ok(Claimed::Guard(guard)) = self.claim(epoch, sequence, false) else { panic!("no guard") };
        guard
    }

    fn append(&mut self, origin: Origin, epoch: i16, sequence: i32, proof: Proof) -> Result<(), ErrorCode> {
        self.append_of(origin, header(epoch, sequence, true, self.end), proof)
    }

    fn append_of(&mut self, origin: Origin, header: BatchHeader, proof: Proof) -> Result<(), ErrorCode> {
        self.guards.check(&self.known, &header, origin, proof).map_err(|refusal| refusal.code())?;
        self.known.verdict(&header, origin).map_err(|refusal| refusal.code())?;
        self.known.apply(&header, None);
        self.guards.appended(&header);
        self.end += 1;
        Ok(())
    }

    fn mark(&mut self, epoch: i16, version: i16) -> Result<(), ErrorCode> {
        let marker = EndMarker { aborted: true, coordinator_epoch: 0, timestamp: NOW };
        let batch = marker.batch(P, ProducerEpoch(epoch)).unwrap();
        let header = BatchHeader { base_offset: Offset(self.end), ..BatchHeader::decode(&batch).unwrap() };
        assert_eq!(header.attributes, TRANSACTIONAL | CONTROL);
        let found = EndMarker::read(&header, &batch[BATCH_HEADER_BYTES..]);
        self.known.verdict(&header, Origin::Marker(marker, version)).map_err(|refusal| refusal.code())?;
        self.known.apply(&header, found);
        self.guards.appended(&header);
        self.end += 1;
        Ok(())
    }
}

#[test]
fn the_first_batch_of_a_transaction_shows_a_guard_and_the_others_need_none() {
    let mut side = Side::default();
    assert_eq!(side.append(Origin::Client, 0, 0, Proof::None), Err(ErrorCode::InvalidTxnState));
    let guard = side.guard(0, 0);
    assert_eq!(side.append(Origin::Client, 0, 0, Proof::Guard(Guard(guard.0 + 1))), Err(ErrorCode::InvalidTxnState));
    assert_eq!(side.append(Origin::Client, 0, 0, Proof::Guard(guard)), Ok(()));
    assert!(side.guards.is_empty(), "it has done its work");
    assert_eq!(side.claim(0, 1, false), Ok(Claimed::Open), "nobody is asked");
    assert_eq!(side.append(Origin::Client, 0, 1, Proof::None), Ok(()));
    assert_eq!(side.mark(0, 0), Ok(()));
    assert_eq!(side.append(Origin::Client, 0, 2, Proof::None), Err(ErrorCode::InvalidTxnState));
    assert_eq!(side.append(Origin::Client, 0, 2, Proof::Guard(guard)), Err(ErrorCode::InvalidTxnState));
    let again = side.guard(0, 2);
    assert_ne!(again, guard, "no guard is given twice");
    assert_eq!(side.append(Origin::Client, 0, 2, Proof::Guard(again)), Ok(()));
}

/// KAFKA-14884: the coordinator says yes, aborts, and its marker comes before the batch.
#[test]
fn kafka_14884_a_marker_between_verification_and_append_takes_the_guard() {
    let mut side = Side::default();
    let guard = side.guard(0, 0);
    assert_eq!(side.mark(0, 0), Ok(()));
    assert_eq!(side.append(Origin::Client, 0, 0, Proof::Guard(guard)), Err(ErrorCode::InvalidTxnState));
    // And a request that begins to verify anew does not lend its guard to the old one.
    let fresh = side.guard(0, 0);
    assert_eq!(side.append(Origin::Client, 0, 0, Proof::Guard(guard)), Err(ErrorCode::InvalidTxnState));
    assert_eq!(side.append(Origin::Client, 0, 0, Proof::Guard(fresh)), Ok(()));
}

/// Guards belong to a partition and a producer: two requests that verify at the same time share one.
#[test]
fn requests_that_verify_together_share_a_guard() {
    let mut side = Side::default();
    let (one, two) = (side.guard(0, 5), side.guard(0, 0));
    assert_eq!((one, side.guards.len()), (two, 1));
    assert_eq!(side.append(Origin::Client, 0, 5, Proof::Guard(one)), Err(ErrorCode::OutOfOrderSequenceNumber));
    assert_eq!(side.append(Origin::Client, 0, 0, Proof::Guard(two)), Ok(()));
}

/// KAFKA-19690: a producer that was fenced must hear so, or it takes itself for broken.
#[test]
fn kafka_19690_the_epoch_is_checked_before_the_guard() {
    let mut side = Side::default();
    let guard = side.guard(3, 0);
    assert_eq!(side.mark(4, 2), Ok(()));
    for proof in [Proof::None, Proof::Guard(guard), Proof::Waived] {
        assert_eq!(side.append(Origin::Client, 3, 0, proof), Err(ErrorCode::InvalidProducerEpoch));
        assert_eq!(side.append(Origin::Coordinator, 3, 0, proof), Err(ErrorCode::InvalidProducerEpoch));
    }
    let fenced = Reason::Fenced { epoch: ProducerEpoch(3), known: ProducerEpoch(4) };
    assert_eq!(side.claim(3, 0, false), Err(fenced), "and it is not even asked");
}

/// KAFKA-19999: the coordinator heard nothing of its marker and sends it again.
#[test]
fn kafka_19999_a_marker_may_come_again_with_the_same_epoch() {
    let mut side = Side::default();
    let guard = side.guard(3, 0);
    assert_eq!(side.append(Origin::Client, 3, 0, Proof::Guard(guard)), Ok(()));
    assert_eq!(side.mark(4, 2), Ok(()));
    assert_eq!(side.mark(4, 2), Ok(()), "no transaction is open: it changes nothing");
    let guard = side.guard(4, 0);
    assert_eq!(side.append(Origin::Client, 4, 0, Proof::Guard(guard)), Ok(()));
    assert_eq!(side.mark(4, 2), Err(ErrorCode::InvalidProducerEpoch), "the next transaction is not its business");
}

/// KAFKA-19446: only the second version raises the epoch with each marker.
#[test]
fn kafka_19446_the_epoch_of_a_marker_must_rise_for_the_second_version_alone() {
    for (version, expected) in [(0, Ok(())), (1, Ok(())), (2, Err(ErrorCode::InvalidProducerEpoch))] {
        let mut side = Side::default();
        let guard = side.guard(3, 0);
        assert_eq!(side.append(Origin::Client, 3, 0, Proof::Guard(guard)), Ok(()));
        assert_eq!(side.mark(3, version), expected, "version {version}");
        assert_eq!(side.mark(2, version), Err(ErrorCode::InvalidProducerEpoch));
    }
}

/// KAFKA-18575 from the partition's side: the marker of the last transaction is still on its way when the next one begins
/// under the next epoch. It must find neither the guard nor the records of the next one in its way.
#[test]
fn kafka_18575_the_next_transaction_is_verified_while_the_last_one_is_open_here() {
    let mut side = Side::default();
    let guard = side.guard(3, 0);
    assert_eq!(side.append(Origin::Client, 3, 0, Proof::Guard(guard)), Ok(()));
    let next = side.guard(4, 0);
    // The coordinator says CONCURRENT_TRANSACTIONS until the marker is here; it takes the guard, and all begins anew.
    assert_eq!(side.mark(4, 2), Ok(()));
    assert_eq!(side.append(Origin::Client, 4, 0, Proof::Guard(next)), Err(ErrorCode::InvalidTxnState));
    let next = side.guard(4, 0);
    assert_eq!(side.append(Origin::Client, 4, 0, Proof::Guard(next)), Ok(()));
}

#[test]
fn a_repeat_of_what_is_in_the_log_shows_nothing() {
    let mut side = Side::default();
    let guard = side.guard(0, 0);
    assert_eq!(side.append(Origin::Client, 0, 0, Proof::Guard(guard)), Ok(()));
    assert_eq!(side.mark(0, 0), Ok(()));
    let again = header(0, 0, true, side.end);
    assert_eq!(side.guards.check(&side.known, &again, Origin::Client, Proof::None), Ok(()));
    assert!(side.guards.check(&side.known, &again, Origin::Coordinator, Proof::None).is_err());
}

#[test]
fn with_the_second_version_what_is_not_known_begins_with_zero() {
    let mut side = Side::default();
    let Ok(Claimed::Guard(guard)) = side.claim(0, 3, true) else { panic!("no guard") };
    assert_eq!(side.append(Origin::Client, 0, 3, Proof::Guard(guard)), Err(ErrorCode::OutOfOrderSequenceNumber));
    let mut side = Side::default();
    let guard = side.guard(0, 3);
    assert_eq!(side.append(Origin::Client, 0, 3, Proof::Guard(guard)), Ok(()), "the state may have expired");
}

#[test]
fn a_later_batch_does_not_overtake_one_that_waits() {
    let mut side = Side::default();
    let guard = side.guard(0, 0);
    assert_eq!(side.guard(0, 2), guard);
    assert_eq!(side.append(Origin::Client, 0, 2, Proof::Guard(guard)), Err(ErrorCode::OutOfOrderSequenceNumber));
    // A batch outside of transactions of the same producer neither.
    let plain = header(0, 2, false, side.end);
    assert_eq!(side.append_of(Origin::Client, plain, Proof::None), Err(ErrorCode::OutOfOrderSequenceNumber));
    // A newer incarnation begins anew.
    assert_eq!(side.guard(1, 9), guard);
    assert_eq!(side.append(Origin::Client, 1, 9, Proof::Guard(guard)), Ok(()));
}

#[test]
fn coordinators_show_guards_and_have_no_sequence() {
    let mut side = Side::default();
    assert_eq!(side.append(Origin::Coordinator, 0, -1, Proof::None), Err(ErrorCode::InvalidTxnState));
    let guard = side.guard(0, -1);
    assert_eq!(side.append(Origin::Coordinator, 0, -1, Proof::Guard(guard)), Ok(()));
    assert_eq!(side.append(Origin::Coordinator, 0, -1, Proof::None), Ok(()));
}

#[test]
fn what_the_leader_wrote_is_not_asked_for_guards() {
    let side = Side::default();
    let batch = header(0, 0, true, 0);
    assert_eq!(side.guards.check(&side.known, &batch, Origin::Replication, Proof::None), Ok(()));
    assert_eq!(side.guards.check(&side.known, &batch, Origin::Client, Proof::Waived), Ok(()));
}

#[test]
fn guards_expire_and_are_bounded() {
    let mut side = Side::default();
    let guard = side.guard(0, 0);
    side.guards.expire(TimestampMs(NOW.0 + 9), 10);
    assert_eq!(side.guard(0, 0), guard);
    side.guards.expire(TimestampMs(NOW.0 + 10), 10);
    assert!(side.guards.is_empty());
    for id in 100..100 + GUARDS_MAX as i64 {
        let claim = Claim {
            producer_id: ProducerId(id),
            producer_epoch: ProducerEpoch(0),
            sequence: Sequence(0),
            second_version: false,
        };
        assert!(matches!(side.guards.claim(&side.known, &claim, NOW), Ok(Claimed::Guard(_))));
    }
    assert_eq!(side.claim(0, 0, false), Ok(Claimed::Full));
    side.guards.revoke();
    assert!(matches!(side.claim(0, 0, false), Ok(Claimed::Guard(_))));
}

impl Side {
    fn expect(&mut self, epoch: i16) -> Option<Guard> {
        self.guards.expect(&self.known, P, ProducerEpoch(epoch), NOW)
    }

    fn confirm(&mut self, epoch: i16, guard: Guard) {
        self.guards.confirm(P, ProducerEpoch(epoch), guard);
    }
}

#[test]
fn what_was_confirmed_is_not_asked_about() {
    let mut side = Side::default();
    let guard = side.expect(0).unwrap();
    assert_eq!(side.claim(0, 5, false), Ok(Claimed::Guard(guard)), "nothing is committed yet");
    side.confirm(0, guard);
    assert_eq!(side.claim(0, 5, false), Ok(Claimed::Confirmed(guard)));
    assert_eq!(side.claim(0, 6, false), Ok(Claimed::Confirmed(guard)));
    let overtakes = side.append(Origin::Client, 0, 6, Proof::Guard(guard));
    assert_eq!(overtakes, Err(ErrorCode::OutOfOrderSequenceNumber), "claims count as they do with a question");
    assert_eq!(side.append(Origin::Client, 0, 5, Proof::Guard(guard)), Ok(()));
    assert!(side.guards.is_empty());
    assert_eq!(side.expect(0), None, "it is open");
    assert_eq!(side.mark(0, 0), Ok(()));
    assert!(matches!(side.claim(0, 6, false), Ok(Claimed::Guard(_))), "the next transaction is another");
}

#[test]
fn a_marker_takes_what_was_confirmed_or_would_be() {
    let mut side = Side::default();
    let guard = side.expect(0).unwrap();
    side.confirm(0, guard);
    assert_eq!(side.mark(0, 0), Ok(()), "an abort by timeout");
    assert!(side.guards.is_empty());
    assert_eq!(side.append(Origin::Client, 0, 0, Proof::Guard(guard)), Err(ErrorCode::InvalidTxnState));

    let late = side.expect(0).unwrap();
    assert_eq!(side.mark(0, 0), Ok(()));
    side.confirm(0, late);
    assert!(side.guards.is_empty(), "who comes late opens nothing");
    let newer = side.expect(0).unwrap();
    side.confirm(0, late);
    assert_eq!(side.claim(0, 0, false), Ok(Claimed::Guard(newer)));
    side.guards.revoke();
    side.confirm(0, newer);
    assert!(side.guards.is_empty(), "nor who led before");
}

#[test]
fn another_epoch_and_the_second_version_ask() {
    let mut side = Side::default();
    let guard = side.expect(3).unwrap();
    side.confirm(3, guard);
    assert_eq!(side.claim(2, 0, false), Ok(Claimed::Guard(guard)));
    assert_eq!(side.claim(4, 0, false), Ok(Claimed::Guard(guard)));
    assert_eq!(side.claim(3, 0, true), Ok(Claimed::Guard(guard)), "asking adds");
    assert_eq!(side.append(Origin::Client, 4, 0, Proof::Guard(guard)), Ok(()));
    assert_eq!(side.expect(3), None, "it is fenced");
}

#[test]
fn the_first_claim_says_of_which_version_it_is() {
    let mut side = Side::default();
    let guard = side.expect(0).unwrap();
    assert_eq!(side.claim(0, 3, true), Ok(Claimed::Guard(guard)));
    let from_three = side.append(Origin::Client, 0, 3, Proof::Guard(guard));
    assert_eq!(from_three, Err(ErrorCode::OutOfOrderSequenceNumber), "its sequences begin at 0");
}

#[test]
fn what_is_expected_leaves_room_for_those_who_ask() {
    let mut side = Side::default();
    let other = |id: usize| ProducerId(100 + id as i64);
    let expected = (0..EXPECTED_MAX).all(|id| {
        let guard = side.guards.expect(&side.known, other(id), ProducerEpoch(0), NOW);
        guard.is_some()
    });
    assert!(expected);
    assert_eq!(side.expect(0), None);
    let guard = side.guard(0, 0);
    assert_eq!(side.expect(0), Some(guard), "one that is out already serves");
}
