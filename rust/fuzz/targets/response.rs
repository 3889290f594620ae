//! Answers, as a follower or a client reads them. The input begins with key and version, two bytes each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::wire::client::api_versions::ApiVersionsAnswer;
use ottla_core::wire::client::find_coordinator::FindCoordinatorResponse;
use ottla_core::wire::client::list_offsets::ListOffsetsResponse;
use ottla_core::wire::client::metadata::MetadataResponse;
use ottla_core::wire::client::offset_commit::OffsetCommitResponse;
use ottla_core::wire::client::offset_fetch::OffsetFetchResponse;
use ottla_core::wire::client::offset_for_leader_epoch::OffsetForLeaderEpochResponse;
use ottla_core::wire::client::produce::ProduceResponse;
use ottla_core::wire::fetch::FetchResponse;
use ottla_core::wire::{api_of, header};
use ottla_fuzz::allocation::none_in;

fuzz_target!(|input: &[u8]| {
    let Some((&[k0, k1, v0, v1], frame)) = input.split_first_chunk() else { return };
    let (key, version) = (i16::from_be_bytes([k0, k1]), i16::from_be_bytes([v0, v1]));
    let Some(api) = api_of(key) else { return };
    let Ok((_, body)) = header::decode_response_header(frame, api, version) else { return };
    let text = match key {
        0 => format!("{:?}", none_in(|| ProduceResponse::decode(body, version))),
        1 => format!("{:?}", none_in(|| FetchResponse::decode(body, version))),
        2 => format!("{:?}", none_in(|| ListOffsetsResponse::decode(body, version))),
        3 => format!("{:?}", none_in(|| MetadataResponse::decode(body, version))),
        8 => format!("{:?}", none_in(|| OffsetCommitResponse::decode(body, version))),
        9 => format!("{:?}", none_in(|| OffsetFetchResponse::decode(body, version))),
        10 => format!("{:?}", none_in(|| FindCoordinatorResponse::decode(body, version))),
        18 => format!("{:?}", none_in(|| ApiVersionsAnswer::decode(body, version))),
        23 => format!("{:?}", none_in(|| OffsetForLeaderEpochResponse::decode(body, version))),
        _ => return,
    };
    assert!(!text.is_empty());
});
