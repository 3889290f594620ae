//! Fetch, as the leader reads it; written again it reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::ids::PartitionIndex;
use ottla_core::wire::fetch::{FetchRequest, FetchRequestWriter};
use ottla_core::wire::{RequestHeader, TopicRef};
use ottla_fuzz::{allocation, request};

fuzz_target!(|input: &[u8]| {
    request(input, 1, |body, version| {
        let decoded = allocation::none_in(|| {
            let request = FetchRequest::decode(body, version)?;
            let nested = request.topics.iter().map(|topic| topic.partitions.iter().count()).sum::<usize>();
            assert_eq!(nested, request.partitions().count());
            Ok::<_, ottla_core::wire::WireError>(request)
        });
        let Ok(request) = decoded else { return };
        let mut out = Vec::new();
        let mut writer = FetchRequestWriter::new(&mut out, 0, None, version, request.head);
        for topic in request.topics {
            writer.topic(topic.topic);
            for partition in topic.partitions {
                writer.partition(&partition);
            }
        }
        let forgotten: Vec<(TopicRef<'_>, Vec<PartitionIndex>)> =
            request.forgotten.iter().map(|topic| (topic.topic, topic.partitions.iter().collect())).collect();
        let forgotten: Vec<_> = forgotten.iter().map(|(topic, partitions)| (*topic, &**partitions)).collect();
        writer.finish(&forgotten);
        let again = RequestHeader::decode(&out[4..]).and_then(|(_, body)| FetchRequest::decode(body, version));
        assert_eq!(again.as_ref(), Ok(&request));
    });
});
