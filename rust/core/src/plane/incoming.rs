//! A request on its way: what a handler is given, and what it says of the answer.

use std::sync::Arc;

use crate::plane::clock::{Instant, Now};
use crate::plane::link::{Close, Link};
use crate::plane::mailbox::{Lane, Request};
use crate::plane::output::Output;
use crate::plane::services::Services;
use crate::wire::cursor::Cursor;
use crate::wire::header::{Api, RequestHeader};

/// What handling a request came to.
#[derive(Debug)]
pub enum Handled {
    /// The answer was written to the output.
    Answered,
    /// No answer is owed.
    Silent,
    /// The answer waits for what happens to partitions.
    Waits(Box<dyn Waiting>),
    /// It is not even known yet what is to be done; no later request of the connection goes before that is.
    Undecided(Box<dyn Undecided>),
    /// The answer comes through [`Link::answer`], under the number that the request was given.
    Away {
        /// For the response header.
        api: &'static Api,
        /// In this version.
        version: i16,
        /// For this request.
        correlation_id: i32,
    },
}

/// A request that hangs on partitions until it may be answered.
pub trait Waiting: std::fmt::Debug + Send {
    /// Writes the answer if it is time; says whether it was.
    fn complete(&mut self, services: &Services, link: &Arc<Link>, now: Now, output: &mut Output)
    -> Result<bool, Close>;

    /// When it is answered with what there is.
    fn deadline(&self) -> Instant;

    /// Whether no more is taken from the client until this is answered.
    fn holds(&self) -> bool {
        false
    }

    /// Takes what waits out of its partitions.
    fn release(&mut self);
}

/// A request that cannot begin before something is known that only the control plane knows.
pub trait Undecided: std::fmt::Debug + Send {
    /// Whether to go on: it is known, or the time is over.
    fn is_decided(&self, now: Now) -> bool;

    /// When it goes on in any case.
    fn deadline(&self) -> Instant;

    /// Goes on, as if the request had just come.
    fn resume(
        self: Box<Self>,
        services: &Services,
        link: &Arc<Link>,
        now: Now,
        output: &mut Output,
    ) -> Result<Handled, Close>;
}

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
        let lane = services.api(self.header.api.key).map_or(Lane::Admin, |api| api.lane);
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

/// A body that could not be read closes its connection, as Kafka does.
pub fn malformed(incoming: &Incoming<'_>, error: &crate::wire::WireError) -> Close {
    Close(format!("bad {} v{} request: {error}", incoming.header.api.name, incoming.header.api_version))
}
