//! Handles `ListOffsets` (2): special places from the partition's state, times by a search in the log on a pool thread.
//!
//! Kafka classes `ReplicaManager.fetchOffset`, `Partition.fetchOffsetForTimestamp`.

use std::collections::HashSet;
use std::sync::Arc;

use crate::error::ErrorCode;
use crate::ids::{BrokerId, LeaderEpoch, PartitionIndex};
use crate::plane::incoming::{Handled, Incoming, malformed};
use crate::plane::link::{Answer, Close};
use crate::plane::output::Output;
use crate::plane::services::Services;
use crate::replication::partition::Partition;
use crate::replication::waiting::Isolation;
use crate::wire::header::RequestHeader;
use crate::wire::list_offsets::{ListOffsetsRequest, ListOffsetsResponseWriter, ListedOffset, special};

/// A consumer that asks any replica, for debugging.
const DEBUGGER: BrokerId = BrokerId(-2);

/// The question about one partition, found.
#[derive(Debug)]
struct Question {
    index: PartitionIndex,
    partition: Result<Arc<Partition>, ErrorCode>,
    timestamp: i64,
    current_leader_epoch: LeaderEpoch,
}

/// All questions of a request.
#[derive(Debug)]
struct Questions {
    version: i16,
    correlation_id: i32,
    replica: BrokerId,
    isolation: Isolation,
    topics: Vec<(Box<str>, Vec<Question>)>,
}

/// Handles one request.
pub fn handle(incoming: &Incoming<'_>, services: &Services, output: &mut Output) -> Result<Handled, Close> {
    let RequestHeader { api_version: version, correlation_id, .. } = incoming.header;
    let request = ListOffsetsRequest::decode(incoming.body, version).map_err(|error| malformed(incoming, &error))?;
    if !(0..=1).contains(&request.isolation_level) {
        return Ok(refuse_isolation(&request, version, correlation_id, output));
    }
    let isolation = match (request.replica_id.0, request.isolation_level) {
        (-1, 1) => Isolation::LastStable,
        (-1, _) => Isolation::HighWatermark,
        _ => Isolation::LogEnd,
    };
    let topics = find(&request, version, services);
    let questions = Questions { version, correlation_id, replica: request.replica_id, isolation, topics };
    let searches = |question: &Question| {
        question.partition.is_ok() && (question.timestamp >= 0 || question.timestamp == special::MAX_TIMESTAMP)
    };
    if !questions.topics.iter().flat_map(|(_, asked)| asked).any(searches) {
        questions.answer(output);
        return Ok(Handled::Answered);
    }
    let (link, number) = (incoming.link.clone(), incoming.number);
    services.cold.submit(Box::new(move || {
        let mut output = Output::default();
        questions.answer(&mut output);
        link.answer(number, Answer::Frame(output));
    }));
    Ok(incoming.away())
}

/// An isolation level that is none: Kafka fails the whole request before it looks at a partition.
fn refuse_isolation(
    request: &ListOffsetsRequest<'_>,
    version: i16,
    correlation_id: i32,
    output: &mut Output,
) -> Handled {
    let mut writer = ListOffsetsResponseWriter::new(&mut output.bytes, correlation_id, version, 0);
    for topic in request.topics {
        writer.topic(topic.name);
        for partition in topic.partitions {
            writer.partition(&ListedOffset::none(partition.index, ErrorCode::UnknownServerError));
        }
    }
    writer.finish();
    Handled::Answered
}

fn find(request: &ListOffsetsRequest<'_>, version: i16, services: &Services) -> Vec<(Box<str>, Vec<Question>)> {
    let view = services.view.load();
    let (mut seen, mut repeated) = (HashSet::new(), HashSet::new());
    for topic in request.topics {
        for partition in topic.partitions {
            if !seen.insert((topic.name, partition.index)) {
                repeated.insert((topic.name, partition.index));
            }
        }
    }
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let known = view.topic(topic.name);
        // One that is asked for twice is refused once.
        let questions = topic.partitions.iter().filter(|asked| seen.remove(&(topic.name, asked.index))).map(|asked| {
            let hosted = || {
                let known = known.ok_or(ErrorCode::UnknownTopicOrPartition)?;
                let index = usize::try_from(asked.index.0).ok();
                index.and_then(|at| known.partitions.get(at)).ok_or(ErrorCode::UnknownTopicOrPartition)?;
                services.hosted.find(known.id, asked.index)
            };
            let partition = if repeated.contains(&(topic.name, asked.index)) {
                Err(ErrorCode::InvalidRequest)
            } else if special::version_min(asked.timestamp).is_none_or(|from| version < from) {
                Err(ErrorCode::UnsupportedVersion)
            } else {
                hosted()
            };
            Question {
                index: asked.index,
                partition,
                timestamp: asked.timestamp,
                current_leader_epoch: asked.current_leader_epoch,
            }
        });
        topics.push((topic.name.into(), questions.collect()));
    }
    topics
}

impl Questions {
    /// Writes the answer. Blocks on the disk where a time is searched.
    fn answer(&self, output: &mut Output) {
        let mut writer = ListOffsetsResponseWriter::new(&mut output.bytes, self.correlation_id, self.version, 0);
        for (topic, questions) in &self.topics {
            writer.topic(topic);
            for question in questions {
                let listed = self.list(question).unwrap_or_else(|error| ListedOffset::none(question.index, error));
                writer.partition(&listed);
            }
        }
        writer.finish();
    }

    fn list(&self, question: &Question) -> Result<ListedOffset, ErrorCode> {
        let partition = question.partition.as_ref().map_err(|error| *error)?;
        let any_replica = self.replica == DEBUGGER;
        let found = partition.offset_of(question.timestamp, self.isolation, question.current_leader_epoch, any_replica);
        match found {
            Ok(Some(found)) => Ok(ListedOffset {
                index: question.index,
                error: ErrorCode::None,
                timestamp: found.timestamp,
                offset: found.offset,
                leader_epoch: found.leader_epoch,
            }),
            Ok(None) => Ok(ListedOffset::none(question.index, ErrorCode::None)),
            Err(ErrorCode::OffsetNotAvailable) if self.version < 5 => Err(ErrorCode::LeaderNotAvailable),
            Err(error) => Err(error),
        }
    }
}
