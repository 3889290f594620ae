//! The View: what the control plane last said about the cluster, as the data plane needs it to route.
//!
//! Prior art: Kafka's `MetadataCache`, rebuilt per change. Ours is persistent: a change copies one bucket of topics and
//! the table of buckets, never an entry per partition of the cluster. Invariant (law 3): the View routes, it never
//! authorises an append; roles and epochs are asked of the partition itself, under its lock.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

use crate::ids::{BrokerId, LeaderEpoch, TopicId};

/// Topics per bucket stay few up to some hundred thousand topics; a table of this many pointers is copied per change.
const BUCKETS: usize = 512;

/// Where one listener of a broker is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// Name of the listener, such as `PLAINTEXT`.
    pub listener: Arc<str>,
    /// Host to connect to. Empty for this broker when nothing was configured: clients get the address they came by.
    pub host: Arc<str>,
    /// Port to connect to.
    pub port: u16,
}

/// A broker that is alive (not fenced).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerView {
    /// Its id.
    pub id: BrokerId,
    /// Its rack, if it has one.
    pub rack: Option<Arc<str>>,
    /// One endpoint per listener.
    pub endpoints: Vec<Endpoint>,
}

/// One partition as Metadata shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionView {
    /// The leader; -1 without one.
    pub leader: BrokerId,
    /// Its epoch.
    pub leader_epoch: LeaderEpoch,
    /// All replicas, in the order of their assignment.
    pub replicas: Box<[BrokerId]>,
    /// Those in sync.
    pub isr: Box<[BrokerId]>,
    /// Those on brokers or directories that are gone.
    pub offline: Box<[BrokerId]>,
}

/// One topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicView {
    /// Its identity.
    pub id: TopicId,
    /// Its name.
    pub name: Arc<str>,
    /// Whether only brokers may write to it.
    pub internal: bool,
    /// Its partitions by index. Shared, so that a change of one copies pointers only.
    pub partitions: Vec<Arc<PartitionView>>,
}

/// A topic that is new or changed, with those of its partitions that are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicChange {
    /// Its identity.
    pub id: TopicId,
    /// Its name.
    pub name: Arc<str>,
    /// Whether only brokers may write to it.
    pub internal: bool,
    /// How many partitions it has after the change.
    pub partition_count: usize,
    /// New and changed partitions by index.
    pub partitions: Vec<(usize, PartitionView)>,
}

/// A feature level: name, smallest and largest supported, finalized (0 when not).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeatureView {
    /// Such as `metadata.version`.
    pub name: Arc<str>,
    /// Smallest level this broker supports.
    pub supported_min: i16,
    /// Largest level this broker supports.
    pub supported_max: i16,
    /// The level in force in the cluster; 0 when it is off.
    pub finalized: i16,
}

/// What holds for the cluster as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClusterView {
    /// The cluster's id.
    pub cluster_id: Arc<str>,
    /// The broker named as controller to clients; -1 while there is none.
    pub controller_id: BrokerId,
    /// Brokers that are alive, by id.
    pub brokers: Vec<BrokerView>,
    /// Feature levels by name.
    pub features: Vec<FeatureView>,
    /// Offset of the last metadata record that is reflected here.
    pub metadata_offset: i64,
    /// Whether an unknown topic may be created by asking for it.
    pub auto_create_topics: bool,
}

/// A change of the View. Later entries win.
#[derive(Clone, Debug, Default)]
pub struct ViewDelta {
    /// Replaces what holds for the cluster.
    pub cluster: Option<ClusterView>,
    /// Topics that are new or changed.
    pub topics: Vec<TopicChange>,
    /// Topics that are gone.
    pub removed: Vec<TopicId>,
}

/// A partition of which nothing was said yet: nobody leads it.
static NOWHERE: LazyLock<Arc<PartitionView>> = LazyLock::new(|| {
    Arc::new(PartitionView {
        leader: BrokerId(-1),
        leader_epoch: LeaderEpoch(0),
        replicas: [].into(),
        isr: [].into(),
        offline: [].into(),
    })
});

type Table = Arc<[Bucket]>;
type Bucket = Arc<[Arc<TopicView>]>;

/// An immutable snapshot; requests hold one while they are handled.
#[derive(Clone, Debug)]
pub struct View {
    /// What holds for the cluster.
    pub cluster: Arc<ClusterView>,
    by_name: Table,
    by_id: Table,
    topic_count: usize,
}

impl Default for View {
    fn default() -> Self {
        let empty: Bucket = Arc::new([]);
        let table: Table = (0..BUCKETS).map(|_| empty.clone()).collect();
        Self { cluster: Arc::default(), by_name: table.clone(), by_id: table, topic_count: 0 }
    }
}

fn bucket_of(key: impl Hash) -> usize {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    (hasher.finish() % BUCKETS as u64) as usize
}

/// Replaces one bucket: takes out the topic `gone`, puts in `new`. The table is copied once per delta, when it is shared.
fn edit(table: &mut Table, bucket: usize, gone: TopicId, new: Option<&Arc<TopicView>>) {
    let slot = &mut Arc::make_mut(table)[bucket];
    *slot = slot.iter().filter(|topic| topic.id != gone).chain(new).cloned().collect();
}

impl View {
    /// The topic of that name.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Arc<TopicView>> {
        self.by_name[bucket_of(name)].iter().find(|topic| &*topic.name == name)
    }

    /// The topic of that id.
    #[must_use]
    pub fn topic_by_id(&self, id: TopicId) -> Option<&Arc<TopicView>> {
        self.by_id[bucket_of(id)].iter().find(|topic| topic.id == id)
    }

    /// All topics, in no order.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<TopicView>> {
        self.by_name.iter().flat_map(|bucket| bucket.iter())
    }

    /// How many topics there are.
    #[must_use]
    pub fn topic_count(&self) -> usize {
        self.topic_count
    }

    /// This View after `delta`.
    #[must_use]
    pub fn after(&self, delta: ViewDelta) -> Self {
        let mut next = self.clone();
        if let Some(cluster) = delta.cluster {
            next.cluster = Arc::new(cluster);
        }
        for id in delta.removed {
            next.remove(id);
        }
        for change in delta.topics {
            next.change(change);
        }
        next
    }

    fn change(&mut self, change: TopicChange) {
        let mut partitions = self.topic_by_id(change.id).map_or_else(Vec::new, |known| known.partitions.clone());
        self.remove(change.id);
        partitions.resize_with(change.partition_count, || NOWHERE.clone());
        for (index, partition) in change.partitions {
            if let Some(slot) = partitions.get_mut(index) {
                *slot = Arc::new(partition);
            }
        }
        let topic = Arc::new(TopicView { id: change.id, name: change.name, internal: change.internal, partitions });
        edit(&mut self.by_name, bucket_of(&*topic.name), topic.id, Some(&topic));
        edit(&mut self.by_id, bucket_of(topic.id), topic.id, Some(&topic));
        self.topic_count += 1;
    }

    fn remove(&mut self, id: TopicId) {
        let Some(known) = self.topic_by_id(id).cloned() else { return };
        edit(&mut self.by_name, bucket_of(&*known.name), id, None);
        edit(&mut self.by_id, bucket_of(id), id, None);
        self.topic_count -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn partition(epoch: u8) -> PartitionView {
        PartitionView {
            leader: BrokerId(1),
            leader_epoch: LeaderEpoch(i32::from(epoch)),
            replicas: [BrokerId(1)].into(),
            isr: [BrokerId(1)].into(),
            offline: [].into(),
        }
    }

    fn change(number: u8, count: usize, partitions: Vec<(usize, PartitionView)>) -> TopicChange {
        TopicChange {
            id: TopicId([number; 16]),
            name: format!("topic-{}", number % 7).into(),
            internal: false,
            partition_count: count,
            partitions,
        }
    }

    proptest! {
        /// Deltas applied one by one give what a rebuild from the final set gives.
        #[test]
        fn deltas_agree_with_a_rebuild(changes in proptest::collection::vec((0u8..20, 0usize..4, 0u8..9), 0..60)) {
            let mut model: BTreeMap<u8, Vec<PartitionView>> = BTreeMap::new();
            let mut view = View::default();
            for (number, last, epoch) in changes {
                let delta = if epoch == 0 {
                    model.remove(&number);
                    ViewDelta { removed: vec![TopicId([number; 16])], ..ViewDelta::default() }
                } else {
                    let known = model.entry(number).or_default();
                    let mut changed: Vec<_> = (known.len()..=last).map(|index| (index, partition(0))).collect();
                    known.resize_with(known.len().max(last + 1), || partition(0));
                    known[last] = partition(epoch);
                    changed.push((last, partition(epoch)));
                    ViewDelta { topics: vec![change(number, known.len(), changed)], ..ViewDelta::default() }
                };
                view = view.after(delta);
            }
            let whole = |(number, partitions): (&u8, &Vec<PartitionView>)| {
                change(*number, partitions.len(), partitions.iter().cloned().enumerate().collect())
            };
            let rebuilt =
                View::default().after(ViewDelta { topics: model.iter().map(whole).collect(), ..ViewDelta::default() });
            prop_assert_eq!(view.topic_count(), model.len());
            prop_assert_eq!(view.topics().count(), model.len());
            for number in model.keys() {
                let id = TopicId([*number; 16]);
                prop_assert_eq!(view.topic_by_id(id).unwrap(), rebuilt.topic_by_id(id).unwrap());
            }
        }
    }
}
