//! A request on its way: what a handler is given, and what it says of the answer.

use std::borrow::Cow;
use std::sync::Arc;

use crate::plane::clock::{Instant, Now};
use crate::plane::link::{Close, Link};
use crate::plane::mailbox::{Lane, Request};
use crate::plane::output::Output;
use crate::plane::services::Services;
use crate::wire::cursor::Cursor;
use crate::wire::header::{Api, RequestHeader};

/// How often a request is sent up to ask for leave before the control plane has to answer it.
const LEAVES_ASKED_MAX: u8 = 4;

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
        /// What may be handled here once more, if that is the answer.
        kept: Option<Box<Kept>>,
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
    /// How often it was sent up to ask for leave already.
    pub leaves_asked: u8,
}

impl Incoming<'_> {
    /// The request goes up: to be returned after [`Services::mailbox`] took it.
    #[must_use]
    pub fn away(&self) -> Handled {
        self.away_keeping(None)
    }

    fn away_keeping(&self, kept: Option<Box<Kept>>) -> Handled {
        Handled::Away {
            kept,
            api: self.header.api,
            version: self.header.api_version,
            correlation_id: self.header.correlation_id,
        }
    }

    /// Hands the whole request to the control plane.
    pub fn pass_up(&self, services: &Services) -> Result<Handled, Close> {
        self.pass_up_keeping(services, None)
    }

    /// The same, but the control plane may have it handled here after all, once it has said what is needed for that.
    /// Not for ever: whoever is sent up often enough stays there.
    pub fn ask_leave(&self, services: &Services) -> Result<Handled, Close> {
        let kept = (self.leaves_asked < LEAVES_ASKED_MAX).then(|| Box::new(Kept::of(self)));
        self.pass_up_keeping(services, kept)
    }

    fn pass_up_keeping(&self, services: &Services, kept: Option<Box<Kept>>) -> Result<Handled, Close> {
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
            asks_leave: kept.is_some(),
            body: self.body_bytes.to_vec(),
        };
        match services.mailbox.request(request) {
            Ok(()) => Ok(self.away_keeping(kept)),
            Err(refused) => {
                services.outstanding.forget(refused.id);
                Err(Close(format!("too many {} requests wait to be answered", self.header.api.name)))
            }
        }
    }
}

/// A request that is kept until somebody else has said something about it.
#[derive(Debug)]
pub struct Kept {
    api: &'static Api,
    pub(super) api_version: i16,
    correlation_id: i32,
    client_id: Box<str>,
    body: Box<[u8]>,
    number: u64,
    leaves_asked: u8,
}

impl Kept {
    /// Keeps a copy.
    #[must_use]
    pub fn of(incoming: &Incoming<'_>) -> Self {
        let RequestHeader { api, api_version, correlation_id, client_id } = &incoming.header;
        Self {
            api,
            api_version: *api_version,
            correlation_id: *correlation_id,
            client_id: client_id.as_ref().into(),
            body: incoming.body_bytes.into(),
            number: incoming.number,
            leaves_asked: incoming.leaves_asked,
        }
    }

    /// The request, as if it had just come.
    #[must_use]
    pub fn incoming<'a>(&'a self, link: &'a Arc<Link>, now: Now) -> Incoming<'a> {
        let Self { api, api_version, correlation_id, client_id, body, number, leaves_asked } = self;
        let header = RequestHeader {
            api,
            api_version: *api_version,
            correlation_id: *correlation_id,
            client_id: Cow::Borrowed(client_id),
        };
        let (number, leaves_asked) = (*number, *leaves_asked);
        Incoming { header, body: Cursor::new(body), body_bytes: body, link, number, now, leaves_asked }
    }
}

/// A body that could not be read closes its connection, as Kafka does.
pub fn malformed(incoming: &Incoming<'_>, error: &crate::wire::WireError) -> Close {
    Close(format!("bad {} v{} request: {error}", incoming.header.api.name, incoming.header.api_version))
}
