//! From a frame to what handles it: data-plane APIs here, every other served API up to the control plane.

use std::sync::Arc;

use crate::plane::clock::Now;
use crate::plane::incoming::{Handled, Incoming};
use crate::plane::link::{Close, Link};
use crate::plane::output::Output;
use crate::plane::services::Services;
use crate::plane::{
    api_versions, fetch, find_coordinator, list_offsets, metadata, offset_commit, offset_fetch,
    offset_for_leader_epoch, produce,
};
use crate::wire::header::{RequestHeader, keys};

/// Handles one frame. The answer goes to `output`, unless it comes later.
pub fn handle(
    frame: &[u8],
    link: &Arc<Link>,
    number: u64,
    services: &Services,
    now: Now,
    output: &mut Output,
) -> Result<Handled, Close> {
    let (header, body) = RequestHeader::decode(frame).map_err(|error| Close(format!("bad request header: {error}")))?;
    let body_bytes = &frame[body.position()..];
    let incoming = Incoming { header, body, body_bytes, link, number, now, leaves_asked: 0 };
    route(&incoming, services, output)
}

/// Handles one request, which may have been looked at before.
pub fn route(incoming: &Incoming<'_>, services: &Services, output: &mut Output) -> Result<Handled, Close> {
    let (api, version) = (incoming.header.api, incoming.header.api_version);
    let served = services.api(api.key);
    if api.key == keys::API_VERSIONS {
        return api_versions::handle(incoming, services, output);
    }
    let Some(served) = served.filter(|served| (served.versions.0..=served.versions.1).contains(&version)) else {
        return Err(Close(format!("{} v{version} is not served", api.name)));
    };
    match api.key {
        keys::PRODUCE => produce::handle(incoming, services, output),
        keys::FETCH => fetch::handle(incoming, services, output),
        keys::METADATA => metadata::handle(incoming, services, output),
        keys::FIND_COORDINATOR => find_coordinator::handle(incoming, services, output),
        keys::LIST_OFFSETS => list_offsets::handle(incoming, services, output),
        keys::OFFSET_COMMIT => offset_commit::handle(incoming, services, output),
        keys::OFFSET_FETCH => offset_fetch::handle(incoming, services, output),
        keys::OFFSET_FOR_LEADER_EPOCH => offset_for_leader_epoch::handle(incoming, services, output),
        _ if served.python => incoming.pass_up(services),
        _ => Err(Close(format!("{} is not served", api.name))),
    }
}
