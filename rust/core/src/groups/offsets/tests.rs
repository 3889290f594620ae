//! Beside a dumb model: as Kafka does it, each offset with the position of its record.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::groups::offset_record::{write_key, write_value};
use crate::wire::Cursor;

type Where = (&'static str, &'static str, i32);

#[derive(Clone, Debug)]
enum Op {
    Put(Where, i64),
    PutPending(i64, Where, i64),
    Remove(Where),
    End(i64, bool),
}

fn places() -> impl Strategy<Value = Where> {
    let name = |names: [&'static str; 3]| prop::sample::select(names.to_vec());
    (name(["g", "h", ""]), name(["t", "u", "v"]), -1..4)
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        3 => (places(), 0..99_i64).prop_map(|(at, offset)| Op::Put(at, offset)),
        3 => (7..10_i64, places(), 0..99_i64).prop_map(|(producer, at, offset)| Op::PutPending(producer, at, offset)),
        2 => places().prop_map(Op::Remove),
        2 => (7..10_i64, any::<bool>()).prop_map(|(producer, committed)| Op::End(producer, committed)),
    ];
    proptest::collection::vec(op, 0..60)
}

fn value(offset: i64) -> OffsetValue<'static> {
    // Some have what few have, and some are of a topic made anew.
    OffsetValue {
        offset: Offset(offset),
        leader_epoch: LeaderEpoch(if offset % 5 == 0 { 2 } else { -1 }),
        metadata: if offset % 3 == 0 { "note".into() } else { "".into() },
        commit_timestamp: TimestampMs(1_000 + offset),
        expire_timestamp: TimestampMs::NONE,
        topic_id: TopicId([(offset % 4) as u8; 16]),
    }
}

fn record((group, topic, partition): Where, offset: Option<i64>) -> (Vec<u8>, Option<Vec<u8>>) {
    let key = write_key(group, topic, PartitionIndex(partition)).unwrap();
    (key, offset.map(|offset| write_value(&value(offset)).unwrap()))
}

fn perform(table: &mut OffsetTable, op: &Op) {
    let (producer, (key, value)) = match *op {
        Op::End(producer, committed) => return table.end_transaction(ProducerId(producer), committed),
        Op::Put(at, offset) => (None, record(at, Some(offset))),
        Op::PutPending(producer, at, offset) => (Some(ProducerId(producer)), record(at, Some(offset))),
        Op::Remove(at) => (None, record(at, None)),
    };
    let applied = match producer {
        Some(producer) => table.apply_pending(producer, &key, value.as_deref()),
        None => table.apply(&key, value.as_deref()),
    };
    let expected = match *op {
        Op::Put((group, ..), _) | Op::PutPending(_, (group, ..), _) => Applied::Put(group.into()),
        Op::Remove((group, ..)) => Applied::Removed(group.into()),
        Op::End(..) => unreachable!("it has returned"),
    };
    assert_eq!(applied, Ok(expected));
}

#[derive(Default)]
struct Model {
    committed: BTreeMap<Where, (usize, i64)>,
    pending: BTreeMap<i64, BTreeMap<Where, (usize, i64)>>,
}

impl Model {
    fn perform(&mut self, position: usize, op: &Op) {
        match *op {
            Op::Put(at, offset) => {
                self.committed.insert(at, (position, offset));
            }
            Op::PutPending(producer, at, offset) => {
                self.pending.entry(producer).or_default().insert(at, (position, offset));
            }
            Op::Remove(at) => {
                self.committed.remove(&at);
                for of in self.pending.values_mut() {
                    of.remove(&at);
                }
            }
            Op::End(producer, committed) => {
                for (at, new) in self.pending.remove(&producer).unwrap_or_default() {
                    if committed && self.committed.get(&at).is_none_or(|known| *known < new) {
                        self.committed.insert(at, new);
                    }
                }
            }
        }
    }

    fn pending(&self) -> BTreeSet<Where> {
        self.pending.values().flat_map(BTreeMap::keys).copied().collect()
    }

    fn groups(&self) -> BTreeSet<&str> {
        self.committed.keys().copied().chain(self.pending()).map(|(group, ..)| group).collect()
    }
}

fn check(table: &OffsetTable, model: &Model) -> Result<(), TestCaseError> {
    let pending = model.pending();
    prop_assert_eq!(table.len(), model.committed.len());
    prop_assert_eq!(table.groups().collect::<BTreeSet<_>>(), model.groups());
    for group in ["g", "h", ""] {
        prop_assert_eq!(table.has_any(group), model.groups().contains(group));
        let of_group: BTreeMap<(&str, i32), i64> = (model.committed.iter().filter(|(at, _)| at.0 == group))
            .map(|(at, (_, offset))| ((at.1, at.2), *offset))
            .collect();
        let found: BTreeMap<(&str, i32), OffsetValue<'_>> =
            table.committed(group).map(|(topic, index, value)| ((topic, index.0), value)).collect();
        let expected: BTreeMap<_, _> = of_group.iter().map(|(at, offset)| (*at, value(*offset))).collect();
        prop_assert_eq!(&found, &expected);
        let topics: Vec<&str> = table.topics(group).collect();
        prop_assert_eq!(topics.len(), topics.iter().collect::<BTreeSet<_>>().len());
        prop_assert_eq!(
            topics.into_iter().collect::<BTreeSet<_>>(),
            of_group.keys().map(|(topic, _)| *topic).collect::<BTreeSet<_>>()
        );
        let open: BTreeSet<(&str, i32)> = table.pending(group).map(|(topic, index, _)| (topic, index.0)).collect();
        prop_assert_eq!(open, pending.iter().filter(|at| at.0 == group).map(|at| (at.1, at.2)).collect());
        for topic in ["t", "u", "v"] {
            for after in [None, Some(-1), Some(1)] {
                let found: Vec<i32> =
                    table.offsets(group, topic, after.map(PartitionIndex)).map(|(index, _)| index.0).collect();
                let there = of_group.keys().filter(|(name, index)| *name == topic && after.is_none_or(|a| *index > a));
                prop_assert_eq!(found, there.map(|(_, index)| *index).collect::<Vec<_>>());
            }
            for index in -1..5 {
                let at = (group, topic, index);
                let is_pending = pending.iter().any(|known| *known == at);
                prop_assert_eq!(table.is_pending(group, topic, PartitionIndex(index)), is_pending);
                let known = is_pending || of_group.contains_key(&(topic, index));
                prop_assert_eq!(table.is_known(group, topic, PartitionIndex(index)), known);
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn as_the_model_says_at_every_step(ops in ops()) {
        let (mut table, mut model) = (OffsetTable::default(), Model::default());
        for (position, op) in ops.iter().enumerate() {
            perform(&mut table, op);
            model.perform(position, op);
            check(&table, &model)?;
        }
        // Nothing stays behind of what is deleted.
        for producer in 7..10 {
            table.end_transaction(ProducerId(producer), false);
        }
        for at in model.committed.keys() {
            perform(&mut table, &Op::Remove(*at));
        }
        prop_assert!(table.is_empty() && table.pending.is_empty() && table.by_producer.is_empty());
        prop_assert_eq!(table.groups().count() + table.topics.iter().count(), 0);
    }

    #[test]
    fn a_commit_that_is_being_written_counts_from_where_it_stands_in_the_log(
        before in ops(),
        places in proptest::collection::vec(places(), 1..4),
        during in ops(),
        is_written: bool,
    ) {
        let (mut table, mut model) = (OffsetTable::default(), Model::default());
        for (position, op) in before.iter().enumerate() {
            perform(&mut table, op);
            model.perform(position, op);
        }
        // Nobody is let in where a transaction is open.
        let open: BTreeSet<&str> = model.pending().into_iter().map(|(group, ..)| group).collect();
        let places: Vec<Where> = places.into_iter().filter(|(group, ..)| !open.contains(group)).collect();
        let key = |(group, topic, index): Where| {
            OffsetKey { group: group.into(), topic: topic.into(), partition: PartitionIndex(index) }
        };
        let write = table.begin_write(places.iter().map(|at| (key(*at), value(1_000))));
        let written = if is_written { places } else { Vec::new() };
        let written: Vec<Op> = written.into_iter().map(|at| Op::Put(at, 1_000)).collect();
        let mut position = before.len();
        for op in &written {
            model.perform(position, op);
            position += 1;
        }
        for op in &during {
            perform(&mut table, op);
            model.perform(position, op);
            position += 1;
        }
        table.end_write(write, is_written);
        check(&table, &model)?;
    }

    #[test]
    fn answers_say_what_is_held(
        ops in ops(),
        asked in proptest::collection::vec(-3..40_i32, 0..40),
        version in 1..=10_i16,
        topic_id in 0..4_u8,
        require_stable: bool,
    ) {
        let (mut table, mut model) = (OffsetTable::default(), Model::default());
        let many = (0..30).filter(|index| index % 3 != 1).map(|index| Op::Put(("g", "t", index), i64::from(index)));
        for (position, op) in many.chain(ops).enumerate() {
            perform(&mut table, &op);
            model.perform(position, &op);
        }
        let pending = model.pending();
        for (group, topic) in [("g", "t"), ("g", "u"), ("nobody", "t")] {
            let topic_id = TopicId([topic_id; 16]);
            let question = Question { group, topic, topic_id, require_stable };
            let answer = |index: i32| {
                let at = (group, topic, index);
                if require_stable && pending.iter().any(|known| *known == at) {
                    return (index, -1, -1, String::new(), 88);
                }
                let found = model.committed.iter().find(|(known, _)| **known == at).map(|(_, (_, at))| value(*at));
                let ids = |id| [TopicId::ZERO, topic_id].contains(&id) || topic_id == TopicId::ZERO;
                found.filter(|value| ids(value.topic_id)).map_or((index, -1, -1, String::new(), 0), |value| {
                    let epoch = if version >= 5 { value.leader_epoch.0 } else { -1 };
                    (index, value.offset.0, epoch, value.metadata.into_owned(), 0)
                })
            };
            let mut out = Vec::new();
            table.write_fetched(&mut out, version, &question, Some(&asked));
            prop_assert_eq!(answers(&out, version), asked.iter().map(|index| answer(*index)).collect::<Vec<_>>());
            let mut out = Vec::new();
            table.write_fetched(&mut out, version, &question, None);
            let all = model.committed.keys().filter(|at| (at.0, at.1) == (group, topic)).map(|at| answer(at.2));
            prop_assert_eq!(answers(&out, version), all.collect::<Vec<_>>());
        }
    }
}

fn answers(bytes: &[u8], version: i16) -> Vec<(i32, i64, i32, String, i16)> {
    let mut cursor = Cursor::new(bytes).flexible(version >= 6);
    let count = cursor.nullable_array_len(1).unwrap().unwrap();
    let mut read = || {
        let (index, offset) = (cursor.i32()?, cursor.i64()?);
        let epoch = if version >= 5 { cursor.i32()? } else { -1 };
        let answer = (index, offset, epoch, cursor.string()?.to_owned(), cursor.i16()?);
        cursor.skip_tags().map(|()| answer)
    };
    let answers = (0..count).map(|_| read().unwrap()).collect();
    assert_eq!(cursor.remaining(), 0);
    answers
}

#[test]
fn what_is_no_offset_changes_nothing() {
    let mut table = OffsetTable::default();
    assert_eq!(table.apply(&[0, 2, 0, 1, b'g'], Some(&[0, 0])), Ok(Applied::Other));
    let (key, _) = record(("g", "t", 0), None);
    assert!(table.apply(&key, Some(&[0, 5, 0, 0])).is_err(), "a version of the future");
    assert!(table.apply(&key[..5], None).is_err());
    assert!(!table.has_any("g"));
}
