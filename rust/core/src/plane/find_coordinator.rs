//! Answers `FindCoordinator` (10) from the View, when the coordinator of every key that is asked for is there.
//!
//! Whatever else there is to say goes up with the whole request: a topic of coordinators that must be made first, one that
//! nobody leads, other kinds of keys. Kafka classes `KafkaApis.handleFindCoordinatorRequest`, `Utils.abs`.

use crate::error::ErrorCode;
use crate::plane::incoming::{Handled, Incoming, malformed};
use crate::plane::link::Close;
use crate::plane::metadata::endpoint;
use crate::plane::output::Output;
use crate::plane::services::Services;
use crate::plane::view::View;
use crate::wire::NodeEndpoint;
use crate::wire::find_coordinator::{FindCoordinatorRequest, FoundCoordinator, encode_response, key_type};

/// The topic of the group coordinators.
pub(super) const GROUP_TOPIC: &str = "__consumer_offsets";
/// That of the transaction coordinators.
const TRANSACTION_TOPIC: &str = "__transaction_state";
/// From here on an answer without an error has no words either.
const SILENT_SINCE: i16 = 4;

/// Answers.
pub fn handle(incoming: &Incoming<'_>, services: &Services, output: &mut Output) -> Result<Handled, Close> {
    let version = incoming.header.api_version;
    let request =
        FindCoordinatorRequest::decode(incoming.body, version).map_err(|error| malformed(incoming, &error))?;
    let topic = match request.key_type {
        key_type::GROUP => GROUP_TOPIC,
        key_type::TRANSACTION => TRANSACTION_TOPIC,
        _ => return incoming.pass_up(services),
    };
    let view = services.view.load();
    let message = if version < SILENT_SINCE { "NONE" } else { "" };
    let found: Option<Vec<FoundCoordinator<'_>>> = request
        .keys
        .iter()
        .map(|key| {
            let NodeEndpoint { node, host, port, .. } = coordinator(incoming, &view, topic, key)?;
            Some(FoundCoordinator { key, node, host, port, error: ErrorCode::None, message: Some(message) })
        })
        .collect();
    let Some(found) = found else { return incoming.pass_up(services) };
    encode_response(&mut output.bytes, incoming.header.correlation_id, version, 0, found.into_iter());
    Ok(Handled::Answered)
}

fn coordinator<'a>(incoming: &'a Incoming<'_>, view: &'a View, topic: &str, key: &str) -> Option<NodeEndpoint<'a>> {
    let partitions = &view.topic(topic)?.partitions;
    let partition = partitions.get(partition_of(key, partitions.len())?)?;
    let leader = view.cluster.brokers.iter().find(|broker| broker.id == partition.leader)?;
    endpoint(leader, &incoming.link.context)
}

/// The partition of a topic of coordinators that a key belongs to: Java's hash of the text, over UTF-16 units. The smallest int
/// has no positive twin, and counts as 0. None when there are no partitions.
#[must_use]
pub fn partition_of(key: &str, partition_count: usize) -> Option<usize> {
    let hash = key.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    usize::try_from(hash.checked_abs().unwrap_or(0)).ok()?.checked_rem(partition_count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_hashed_as_java_does() {
        let hash = |key| partition_of(key, i32::MAX as usize);
        assert_eq!(hash(""), Some(0));
        assert_eq!(hash("group"), Some(98_629_247));
        assert_eq!(hash("größe"), Some(98_762_257));
        assert_eq!(hash("😀-consumers"), Some(474_952_877), "a pair of units, and a sum below zero");
        assert_eq!(hash("polygenelubricants"), Some(0), "its hash is the smallest int");
        assert_eq!(partition_of("group", 50), Some(47));
        assert_eq!(partition_of("group", 0), None);
    }
}
