//! Handles `OffsetForLeaderEpoch` (23): where does this epoch end? Asked by followers and by consumers that look for a
//! truncation (KIP-101, KIP-320).

use crate::error::ErrorCode;
use crate::plane::incoming::{Handled, Incoming, malformed};
use crate::plane::link::Close;
use crate::plane::output::Output;
use crate::plane::services::Services;
use crate::plane::view::TopicView;
use crate::wire::offset_for_leader_epoch::{
    EndOfEpoch, OffsetForLeaderEpochPartition, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponseWriter,
};

/// Handles one request.
pub fn handle(incoming: &Incoming<'_>, services: &Services, output: &mut Output) -> Result<Handled, Close> {
    let version = incoming.header.api_version;
    let request =
        OffsetForLeaderEpochRequest::decode(incoming.body, version).map_err(|error| malformed(incoming, &error))?;
    let view = services.view.load();
    let correlation_id = incoming.header.correlation_id;
    let mut writer = OffsetForLeaderEpochResponseWriter::new(&mut output.bytes, correlation_id, version, 0);
    for topic in request.topics {
        let known = view.topic(topic.name);
        writer.topic(topic.name);
        for asked in topic.partitions {
            let end = end_of(&asked, known.map(|topic| &**topic), services);
            writer.partition(&end.unwrap_or_else(|error| EndOfEpoch::none(asked.index, error)));
        }
    }
    writer.finish();
    Ok(Handled::Answered)
}

fn end_of(
    asked: &OffsetForLeaderEpochPartition,
    topic: Option<&TopicView>,
    services: &Services,
) -> Result<EndOfEpoch, ErrorCode> {
    let topic = topic.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let index = usize::try_from(asked.index.0).ok();
    index.and_then(|at| topic.partitions.get(at)).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let partition = services.hosted.find(topic.id, asked.index)?;
    let end = partition.end_of_epoch(asked.leader_epoch, asked.current_leader_epoch)?;
    Ok(end.map_or(EndOfEpoch::none(asked.index, ErrorCode::None), |(leader_epoch, end_offset)| EndOfEpoch {
        index: asked.index,
        error: ErrorCode::None,
        leader_epoch,
        end_offset,
    }))
}
