//! Produce: found without allocating, its records inside the frame.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::wire::produce::ProduceRequest;
use ottla_fuzz::{allocation, request};

fuzz_target!(|input: &[u8]| {
    request(input, 0, |body, version| {
        let left = body.remaining();
        let walked = allocation::none_in(|| {
            let request = ProduceRequest::decode(body, version)?;
            let nested = request.topics.iter().map(|topic| topic.partitions.iter().count()).sum::<usize>();
            let records: usize =
                request.partitions().filter_map(|(_, partition)| partition.records).map(<[u8]>::len).sum();
            assert!(records <= left);
            assert_eq!(nested, request.partitions().count());
            Ok::<_, ottla_core::wire::WireError>(request)
        });
        assert!(walked.is_err() || !format!("{walked:?}").is_empty());
    });
});
