//! What the data plane may do with the offsets of one partition of `__consumer_offsets` by itself: commit for those of whom
//! the control plane has said that they may, and read what is committed.
//!
//! Prior art: Kafka's `OffsetMetadataManager.commitOffset`, which validates each commit on the one thread of its coordinator.
//! Ours has the control plane say it once: a member of a generation may commit until that is withdrawn. It withdraws before
//! it changes anything of the group that could matter, so what a grant says is always what the coordinator would say.
//!
//! Invariants: a commit is let in under the same lock under which grants are withdrawn and records are applied, and nothing
//! of the coordinator goes to the log between that and its own record there; a group of which the control plane has
//! applied offsets that are not committed yet is neither read nor written here; who holds a desk's lock waits for nothing
//! else, neither a disk nor a partition, so that the control plane may take it at any time.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::batch::Codec;
use crate::groups::offsets::OffsetTable;
use crate::ids::{LeaderEpoch, ProducerId};
use crate::log::latest::{Intake, Taking};
use crate::plane::clock::Instant;

/// Who commits, by what the request says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Committer<'a> {
    /// The group.
    pub group: &'a str,
    /// The member; empty outside a group.
    pub member_id: &'a str,
    /// The name that the member keeps over restarts.
    pub instance_id: Option<&'a str>,
    /// Of a classic group the generation, of a consumer group the member's epoch; -1 outside both.
    pub epoch: i32,
    /// The version of the request.
    pub version: i16,
}

/// That a member may commit.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Grant {
    instance_id: Option<Box<str>>,
    epoch: i32,
    version_min: i16,
    holds: bool,
    /// When it committed last.
    used: Option<Instant>,
}

/// Under which rules commits are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// The only leader epoch of the log under which anything is done.
    pub leader_epoch: LeaderEpoch,
    /// `offset.metadata.max.bytes`: counted as Java counts characters.
    pub metadata_chars_max: usize,
    /// `offsets.commit.timeout.ms`.
    pub timeout_ms: i64,
    /// `offsets.topic.compression.codec`.
    pub codec: Codec,
}

/// The state of the partition, as both planes see it.
#[derive(Default)]
pub struct Desk {
    /// What is committed.
    pub offsets: OffsetTable,
    /// None while the coordinator of the partition is not at work.
    rules: Option<Rules>,
    grants: HashMap<Box<str>, HashMap<Box<str>, Grant>>,
    /// Groups with offsets that were applied and are not committed, each with the mark of the last.
    unsettled: HashMap<Arc<str>, u64>,
    /// The same by ascending mark; what has a later one in the map was unsettled again.
    marked: VecDeque<(u64, Arc<str>)>,
    next_mark: u64,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offsets, rules) = (&self.offsets, &self.rules);
        f.debug_struct("Desk").field("offsets", offsets).field("rules", rules).finish_non_exhaustive()
    }
}

impl Desk {
    // --- the control plane

    /// The partition was read; from now on requests may be handled here.
    pub fn open(&mut self, rules: Rules) {
        self.rules = Some(rules);
    }

    /// The coordinator was given up. What was held is given back: it takes its time to be freed.
    #[must_use]
    pub fn close(&mut self) -> Self {
        std::mem::take(self)
    }

    /// The member may commit, until [`Desk::withdraw`].
    pub fn grant(&mut self, member: &Committer<'_>) {
        let grant = Grant {
            instance_id: member.instance_id.map(Into::into),
            epoch: member.epoch,
            version_min: member.version,
            holds: true,
            used: None,
        };
        if !self.grants.contains_key(member.group) {
            self.grants.insert(member.group.into(), HashMap::new());
        }
        if let Some(members) = self.grants.get_mut(member.group) {
            members.insert(member.member_id.into(), grant);
        }
    }

    /// What was granted to members of the group no longer holds, until it is granted anew: for the data plane. When they
    /// have committed is still known.
    pub fn suspend(&mut self, group: &str) {
        for grant in self.grants.get_mut(group).into_iter().flat_map(HashMap::values_mut) {
            grant.holds = false;
        }
    }

    /// What was granted to members of the group no longer holds. Returns who has committed since, and when last.
    pub fn withdraw(&mut self, group: &str) -> Vec<(Box<str>, Instant)> {
        let members = self.grants.remove(group).unwrap_or_default();
        members.into_iter().filter_map(|(member, grant)| Some((member, grant.used?))).collect()
    }

    /// When the member committed last, if it did since it was allowed to.
    #[must_use]
    pub fn last_commit(&self, group: &str, member_id: &str) -> Option<Instant> {
        self.grants.get(group)?.get(member_id)?.used
    }

    /// An offset of the group was applied, and is not committed yet.
    pub fn unsettle(&mut self, group: &str) {
        let mark = self.next_mark;
        let group = match self.unsettled.get_key_value(group) {
            Some((_, known)) if *known == mark => return,
            Some((group, _)) => group.clone(),
            None => group.into(),
        };
        self.unsettled.insert(group.clone(), mark);
        self.marked.push_back((mark, group));
    }

    /// A mark for what was applied up to now; none when all of that is settled or has a mark already.
    pub fn seal(&mut self) -> Option<u64> {
        let mark = self.next_mark;
        self.marked.back().filter(|(newest, _)| *newest == mark)?;
        self.next_mark += 1;
        Some(mark)
    }

    /// What was applied up to the mark is committed.
    pub fn settle(&mut self, mark: u64) {
        while let Some((oldest, group)) = self.marked.front().filter(|(oldest, _)| *oldest <= mark) {
            if self.unsettled.get(group) == Some(oldest) {
                self.unsettled.remove(group);
            }
            self.marked.pop_front();
        }
    }

    // --- the data plane

    /// The rules, if the group's offsets may be read here now: as somebody in particular, if a member asks.
    #[must_use]
    pub fn reader(&self, group: &str, member: Option<(&str, i32)>) -> Option<Rules> {
        let rules = self.settled(group)?;
        let Some((member_id, epoch)) = member else { return Some(rules) };
        if epoch < 0 {
            // Whoever has no members may be committed for by anybody, but none of them is a member.
            return None;
        }
        let grant = self.grants.get(group)?.get(member_id)?;
        (grant.holds && grant.epoch == epoch).then_some(rules)
    }

    /// The rules, if this member may commit here now.
    #[must_use]
    pub fn writer(&mut self, member: &Committer<'_>, now: Instant) -> Option<Rules> {
        let rules = self.settled(member.group)?;
        let grant = self.grants.get_mut(member.group)?.get_mut(member.member_id)?;
        let is_same = grant.holds
            && grant.epoch == member.epoch
            && grant.instance_id.as_deref() == member.instance_id
            && grant.version_min <= member.version;
        is_same.then(|| {
            grant.used = Some(now);
            rules
        })
    }

    fn settled(&self, group: &str) -> Option<Rules> {
        self.rules.filter(|_| self.unsettled.is_empty() || !self.unsettled.contains_key(group))
    }
}

/// A desk as what a load fills. It is locked for one record at a time: between two of them the load reads the log, and
/// nobody who wants the desk waits for a disk.
#[derive(Debug)]
pub struct Filling(pub Arc<Mutex<Desk>>);

impl Intake for Filling {
    fn take(&mut self, key: &[u8], value: Option<&[u8]>, producer_id: ProducerId) -> Taking {
        self.0.lock().offsets.take(key, value, producer_id)
    }

    fn end(&mut self, producer_id: ProducerId, aborted: bool) {
        self.0.lock().offsets.end(producer_id, aborted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules =
        Rules { leader_epoch: LeaderEpoch(1), metadata_chars_max: 10, timeout_ms: 100, codec: Codec::None };
    const MEMBER: Committer<'static> =
        Committer { group: "g", member_id: "m", instance_id: None, epoch: 3, version: 8 };

    fn open() -> Desk {
        let mut desk = Desk::default();
        desk.open(RULES);
        desk.grant(&MEMBER);
        desk
    }

    #[test]
    fn a_grant_holds_while_the_desk_is_open_and_until_it_is_withdrawn() {
        let mut desk = Desk::default();
        desk.grant(&MEMBER);
        assert_eq!(desk.writer(&MEMBER, Instant(1)), None, "not open");
        let mut desk = open();
        assert_eq!((desk.last_commit("g", "m"), desk.withdraw("h")), (None, vec![]));
        assert_eq!(desk.writer(&MEMBER, Instant(5)), Some(RULES));
        assert_eq!((desk.last_commit("g", "m"), desk.last_commit("g", "n")), (Some(Instant(5)), None));
        assert_eq!(desk.withdraw("g"), [("m".into(), Instant(5))]);
        assert_eq!((desk.writer(&MEMBER, Instant(6)), desk.last_commit("g", "m")), (None, None));
        assert!(desk.grants.is_empty(), "groups come and go");
        desk.grant(&MEMBER);
        assert_eq!(desk.withdraw("g"), [], "who never committed");
        desk.grant(&MEMBER);
        drop(desk.close());
        assert_eq!((desk.writer(&MEMBER, Instant(7)), desk.reader("g", None)), (None, None));
    }

    #[test]
    fn what_is_suspended_is_remembered_and_may_be_granted_anew() {
        let mut desk = open();
        assert_eq!(desk.writer(&MEMBER, Instant(5)), Some(RULES));
        desk.suspend("g");
        desk.suspend("nobody");
        assert_eq!((desk.writer(&MEMBER, Instant(6)), desk.reader("g", Some(("m", 3)))), (None, None));
        assert_eq!(desk.last_commit("g", "m"), Some(Instant(5)));
        desk.grant(&MEMBER);
        assert_eq!(desk.writer(&MEMBER, Instant(7)), Some(RULES));
    }

    #[test]
    fn a_group_is_left_alone_until_all_that_was_applied_for_it_is_settled() {
        let mut desk = open();
        assert_eq!(desk.seal(), None);
        desk.unsettle("g");
        let first = desk.seal().unwrap();
        assert_eq!(desk.seal(), None, "nothing new");
        desk.unsettle("h");
        desk.unsettle("g");
        let second = desk.seal().unwrap();
        desk.settle(first);
        assert_eq!((desk.writer(&MEMBER, Instant(1)), desk.reader("h", None)), (None, None));
        assert_eq!(desk.reader("other", None), Some(RULES));
        desk.settle(second);
        assert_eq!(desk.writer(&MEMBER, Instant(1)), Some(RULES));
        assert!(desk.unsettled.is_empty());
    }

    #[test]
    fn who_asks_as_a_member_is_one() {
        let mut desk = open();
        desk.grant(&Committer { member_id: "", epoch: -1, ..MEMBER });
        let read = |member| desk.reader("g", member);
        assert_eq!((read(None), read(Some(("m", 3)))), (Some(RULES), Some(RULES)));
        assert_eq!((read(Some(("m", 2))), read(Some(("n", 3))), read(Some(("", -1)))), (None, None, None));
    }
}
