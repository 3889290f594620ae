//! From a frame to what handles it: data-plane APIs here, every other served API up to the control plane.

use std::sync::Arc;

use crate::plane::clock::Now;
use crate::plane::connection::{Close, Handled, Link};
use crate::plane::mailbox::Request;
use crate::plane::output::Output;
use crate::plane::services::Services;
use crate::plane::{api_versions, fetch, list_offsets, metadata, offset_for_leader_epoch, produce};
use crate::wire::cursor::Cursor;
use crate::wire::header::{RequestHeader, keys};

/// A request of which the header was read.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// The header.
    pub header: RequestHeader<'a>,
    /// The body.
    pub body: Cursor<'a>,
    /// The bytes of the body.
    pub body_bytes: &'a [u8],
    /// Whose connection.
    pub link: &'a Arc<Link>,
    /// The number that a late answer is given under.
    pub number: u64,
    /// When it came.
    pub now: Now,
}

impl Incoming<'_> {
    /// The request goes up: to be returned after [`Services::mailbox`] took it.
    #[must_use]
    pub fn away(&self) -> Handled {
        Handled::Away {
            api: self.header.api,
            version: self.header.api_version,
            correlation_id: self.header.correlation_id,
        }
    }

    /// Hands the whole request to the control plane.
    pub fn pass_up(&self, services: &Services) -> Result<Handled, Close> {
        let lane = services.api(self.header.api.key).map_or(crate::plane::mailbox::Lane::Admin, |api| api.lane);
        let id = services.outstanding.expect(self.link, self.number);
        let request = Request {
            id,
            lane,
            api_key: self.header.api.key,
            api_version: self.header.api_version,
            client_id: Some(self.header.client_id.as_ref().into()),
            context: self.link.context.clone(),
            received_at: self.now.wall,
            body: self.body_bytes.to_vec(),
        };
        match services.mailbox.request(request) {
            Ok(()) => Ok(self.away()),
            Err(refused) => {
                services.outstanding.forget(refused.id);
                Err(Close(format!("too many {} requests wait to be answered", self.header.api.name)))
            }
        }
    }
}

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
    let (api, version) = (header.api, header.api_version);
    let incoming = Incoming { header, body, body_bytes: &frame[body.position()..], link, number, now };
    let served = services.api(api.key);
    if api.key == keys::API_VERSIONS {
        return api_versions::handle(&incoming, services, output);
    }
    let Some(served) = served.filter(|served| (served.versions.0..=served.versions.1).contains(&version)) else {
        return Err(Close(format!("{} v{version} is not served", api.name)));
    };
    match api.key {
        keys::PRODUCE => produce::handle(&incoming, services, output),
        keys::FETCH => fetch::handle(&incoming, services, output),
        keys::METADATA => metadata::handle(&incoming, services, output),
        keys::LIST_OFFSETS => list_offsets::handle(&incoming, services, output),
        keys::OFFSET_FOR_LEADER_EPOCH => offset_for_leader_epoch::handle(&incoming, services, output),
        _ if served.python => incoming.pass_up(services),
        _ => Err(Close(format!("{} is not served", api.name))),
    }
}

/// A body that could not be read closes its connection, as Kafka does.
pub fn malformed(incoming: &Incoming<'_>, error: &crate::wire::WireError) -> Close {
    Close(format!("bad {} v{} request: {error}", incoming.header.api.name, incoming.header.api_version))
}
