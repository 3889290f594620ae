//! Answers `OffsetFetch` (9) where the coordinator of the group has its desk, when one group is asked about and topics are
//! named.
//!
//! Everything else goes up: many groups, all topics, members whose epoch is not known here, groups with offsets that are not
//! committed yet. Kafka classes `KafkaApis.fetchOffsetsForGroup`, `OffsetMetadataManager.fetchOffsets`. Ours shows the newest
//! state, as the control plane's own answer does.

use std::sync::Arc;

use crate::error::ErrorCode;
use crate::groups::offsets::Question;
use crate::ids::{PartitionIndex, TopicId};
use crate::plane::desks::Home;
use crate::plane::incoming::{Handled, Incoming};
use crate::plane::link::Close;
use crate::plane::output::Output;
use crate::plane::services::Services;
use crate::plane::view::View;
use crate::wire::TopicRef;
use crate::wire::offset_fetch::{OffsetFetchGroup, OffsetFetchRequest, OffsetFetchResponseWriter, OffsetFetchTopic};

/// Answers.
pub fn handle(incoming: &Incoming<'_>, services: &Services, output: &mut Output) -> Result<Handled, Close> {
    let version = incoming.header.api_version;
    // What cannot be read here may be read there: text that has to be mended.
    let request = OffsetFetchRequest::decode(incoming.body, version).ok();
    let only = request.and_then(|request| Some((request, request.groups.only()?)));
    if let Some((request, group)) = only
        && answer(incoming, &group, request.require_stable, services, output).is_some()
    {
        return Ok(Handled::Answered);
    }
    incoming.pass_up(services)
}

/// Writes the answer, if it is ours to give.
fn answer(
    incoming: &Incoming<'_>,
    group: &OffsetFetchGroup<'_>,
    require_stable: bool,
    services: &Services,
    output: &mut Output,
) -> Option<()> {
    let (version, group_id) = (incoming.header.api_version, group.group_id);
    let view = services.view.load();
    let asked = group.topics?;
    let known: Vec<Known<'_>> = asked.iter().map(|topic| Known::of(&topic, &view)).collect::<Option<_>>()?;
    let home = Home::of(group_id, &view, services)?;
    let anonymous = group.member_id.is_none() && group.member_epoch < 0;
    let member = (!anonymous).then(|| (group.member_id.unwrap_or_default(), group.member_epoch));
    let rules = home.desk.lock().reader(group_id, member)?;
    // Not under the lock of the desk: a partition may be busy with its disk.
    home.partition.leads(rules.leader_epoch).ok()?;
    let desk = home.desk.lock();
    if desk.reader(group_id, member)? != rules {
        return None;
    }
    let correlation_id = incoming.header.correlation_id;
    let mut writer = OffsetFetchResponseWriter::new(&mut output.bytes, correlation_id, version, 0, 1);
    writer.group(group_id, known.len());
    let mut indexes = Vec::new();
    for (Known { name, id }, OffsetFetchTopic { topic, partitions }) in known.iter().zip(asked) {
        indexes.clear();
        indexes.extend(partitions.iter().map(|PartitionIndex(index)| index));
        let question = Question { group: group_id, topic: name.as_ref(), topic_id: *id, require_stable };
        writer.topic(topic, |out| desk.offsets.write_fetched(out, version, &question, Some(&indexes)));
    }
    writer.end_group(ErrorCode::None);
    writer.finish();
    Some(())
}

/// A topic by both its names.
struct Known<'a> {
    name: Name<'a>,
    /// Zero where there is no such topic any more.
    id: TopicId,
}

enum Name<'a> {
    Asked(&'a str),
    Found(Arc<str>),
}

impl AsRef<str> for Name<'_> {
    fn as_ref(&self) -> &str {
        match self {
            Self::Asked(name) => name,
            Self::Found(name) => name,
        }
    }
}

impl<'a> Known<'a> {
    /// None for an id that nobody has.
    fn of(topic: &OffsetFetchTopic<'a>, view: &View) -> Option<Self> {
        Some(match topic.topic {
            TopicRef::Name(name) => {
                Self { name: Name::Asked(name), id: view.topic(name).map_or(TopicId::ZERO, |topic| topic.id) }
            }
            TopicRef::Id(id) => Self { name: Name::Found(view.topic_by_id(id)?.name.clone()), id },
        })
    }
}
