//! The desks of the coordinators of groups on this broker: where a group's offsets are committed and read without the control
//! plane.
//!
//! A desk comes with an election and goes with it; its station stays, since what an old desk has begun to write must be in
//! the log before a new coordinator reads that. Everything of a coordinator that goes to the log, or reads where that ends, goes
//! through its station, one after the other.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::ids::{PartitionIndex, TopicId};
use crate::plane::desk::Desk;
use crate::plane::find_coordinator::{GROUP_TOPIC, partition_of};
use crate::plane::services::Services;
use crate::plane::view::View;
use crate::replication::partition::Partition;

/// A desk that both planes work with.
pub type SharedDesk = Arc<Mutex<Desk>>;

/// Where the desk of one partition stands.
#[derive(Debug, Default)]
pub struct Station {
    order: Mutex<()>,
    desk: ArcSwapOption<Mutex<Desk>>,
}

impl Station {
    /// The desk that was put here last; it may be closed.
    #[must_use]
    pub fn desk(&self) -> Option<SharedDesk> {
        self.desk.load_full()
    }

    /// Nobody else writes to the log for the coordinator while this is held; it is held across one append to the page cache.
    pub fn in_order(&self) -> MutexGuard<'_, ()> {
        self.order.lock()
    }
}

/// All stations of a broker.
#[derive(Debug, Default)]
pub struct Desks {
    stations: RwLock<HashMap<(TopicId, PartitionIndex), Arc<Station>>>,
}

impl Desks {
    /// Puts up a desk in the place of the one before. For the control plane, before the desk is opened.
    pub fn put(&self, topic: TopicId, index: PartitionIndex, desk: SharedDesk) {
        let mut stations = self.stations.write();
        stations.entry((topic, index)).or_default().desk.store(Some(desk));
    }

    /// The partition is deleted.
    pub fn forget(&self, topic: TopicId, index: PartitionIndex) {
        self.stations.write().remove(&(topic, index));
    }

    /// The station of a partition; none while none of its coordinators was ever at work.
    #[must_use]
    pub fn station(&self, topic: TopicId, index: PartitionIndex) -> Option<Arc<Station>> {
        self.stations.read().get(&(topic, index)).cloned()
    }
}

/// Where a group's offsets are.
#[derive(Debug)]
pub struct Home {
    /// The station.
    pub station: Arc<Station>,
    /// The desk.
    pub desk: SharedDesk,
    /// The log.
    pub partition: Arc<Partition>,
}

impl Home {
    /// Finds it; none where this broker has no desk for the group.
    #[must_use]
    pub fn of(group: &str, view: &View, services: &Services) -> Option<Self> {
        let topic = view.topic(GROUP_TOPIC)?;
        let index = partition_of(group, topic.partitions.len())?;
        let index = PartitionIndex(i32::try_from(index).ok()?);
        let station = services.desks.station(topic.id, index)?;
        let desk = station.desk()?;
        let partition = services.hosted.get(topic.id, index)?;
        Some(Self { station, desk, partition })
    }
}
