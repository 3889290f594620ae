//! Before a Produce appends in a transaction: is that open at its coordinator (KIP-890)?
//!
//! Kafka: `ReplicaManager.handleProduceAppend`, `maybeSendPartitionsToTransactionCoordinator`. One question for a request,
//! about those of its partitions that have no open transaction of the producer; none when there are no such partitions. While
//! it is open nothing of the request is appended, nor of later ones of the connection (law 4): the request is kept, and
//! goes its way again with what each partition has to show.
//!
//! With the second version the next transaction is often begun while the markers of the last one are on their way; such a marker
//! takes the guard, and the coordinator says yes only afterwards. Then it is asked again under a new guard: an epoch is one
//! transaction there, so the batch cannot be one that was late. (With the first version it could, and is refused.)

use std::collections::HashMap;
use std::sync::Arc;

use crate::batch::BatchHeader;
use crate::batch::header::magic_of;
use crate::batch::producer::{Claim, Claimed, Guard, Proof};
use crate::batch::validate;
use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, PartitionIndex, ProducerId, TopicId};
use crate::plane::clock::{Instant, Now};
use crate::plane::incoming::{Handled, Incoming, Kept, Undecided, malformed};
use crate::plane::link::{Close, Link};
use crate::plane::output::Output;
use crate::plane::questions::{Asked, Question};
use crate::plane::services::Services;
use crate::plane::view::{TopicView, View};
use crate::replication::partition::{Partition, Refused};
use crate::wire::produce::{ProducePartition, ProduceRequest};
use crate::wire::{LeaderIdAndEpoch, TopicRef};

/// The first version whose clients know that a transaction can be aborted and begun again.
const ABORTABLE_SINCE_VERSION: i16 = 11;
/// The first version whose partitions the broker adds to the transaction.
pub(super) const ADDS_SINCE_VERSION: i16 = 12;
/// The magic of batches that may be transactional.
const MAGIC: u8 = 2;

/// How one partition of a request stands with its transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// It may try, and shows this.
    Shows(Proof),
    /// It may not, with a reason for people.
    Refused(ErrorCode, Option<Box<str>>),
}

/// How the partitions of a request stand, by their places in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Standings {
    /// None has anything to show.
    Plain,
    /// No partition may be appended to.
    Refused(ErrorCode),
    /// One by one.
    Each(Vec<Standing>),
}

impl Standings {
    pub(super) fn at(&self, slot: usize) -> Standing {
        match self {
            Self::Plain => Standing::Shows(Proof::None),
            Self::Refused(code) => Standing::Refused(*code, None),
            Self::Each(each) => each.get(slot).cloned().unwrap_or(Standing::Shows(Proof::None)),
        }
    }
}

/// What is to be done before a request appends.
pub(super) enum Before {
    /// Nothing any more.
    Append(Standings),
    /// To wait.
    Wait(Box<Verifying>),
}

/// A partition of the View.
pub(super) struct Routed<'a> {
    pub(super) topic: &'a Arc<TopicView>,
    pub(super) leader: LeaderIdAndEpoch,
}

/// Finds a partition in the View.
pub(super) fn route<'a>(view: &'a View, topic: TopicRef<'_>, index: PartitionIndex) -> Result<Routed<'a>, ErrorCode> {
    let topic = match topic {
        TopicRef::Name(name) => view.topic(name).ok_or(ErrorCode::UnknownTopicOrPartition)?,
        TopicRef::Id(id) => view.topic_by_id(id).ok_or(ErrorCode::UnknownTopicId)?,
    };
    let partition = usize::try_from(index.0).ok().and_then(|at| topic.partitions.get(at));
    let partition = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    Ok(Routed { topic, leader: LeaderIdAndEpoch { leader: partition.leader, epoch: partition.leader_epoch } })
}

/// A batch that belongs to a transaction, of a partition that is to be appended to.
struct Transactional {
    slot: usize,
    topic_id: TopicId,
    topic: Arc<str>,
    index: PartitionIndex,
    header: BatchHeader,
}

/// Looks at the transactions of a request, and asks about them if need be.
pub(super) fn before(
    incoming: &Incoming<'_>,
    request: &ProduceRequest<'_>,
    services: &Services,
    view: &View,
) -> Before {
    let Some(transactional_id) = request.transactional_id else { return Before::Append(without_id(request)) };
    if !(-1..=1).contains(&request.acks) || all_open(request, services, view) {
        return Before::Append(Standings::Plain);
    }
    let batches = transactional(incoming, request, view);
    let Some(first) = batches.first() else { return Before::Append(Standings::Plain) };
    let producer = (first.header.producer_id, first.header.producer_epoch);
    if batches.iter().any(|batch| (batch.header.producer_id, batch.header.producer_epoch) != producer) {
        return Before::Append(Standings::Refused(ErrorCode::InvalidProducerIdMapping));
    }
    let slots = request.topics.iter().map(|topic| topic.partitions.len()).sum();
    let adds = incoming.header.api_version >= ADDS_SINCE_VERSION;
    if !adds && !services.questions.verifies() {
        return Before::Append(Standings::Each(vec![Standing::Shows(Proof::Waived); slots]));
    }
    let (mut each, asking) = claim(&batches, slots, adds, incoming.now, services);
    if asking.slots.is_empty() {
        return Before::Append(Standings::Each(each));
    }
    let question = Question {
        id: 0,
        transactional_id: transactional_id.into(),
        producer_id: producer.0,
        producer_epoch: producer.1,
        add: adds,
        partitions: asking.partitions,
    };
    let Some(asked) = services.questions.ask(question, &incoming.link.bell) else {
        for (slot, _) in asking.slots {
            each[slot] = unverified(ErrorCode::CoordinatorNotAvailable);
        }
        return Before::Append(Standings::Each(each));
    };
    services.mailbox.nudge();
    Before::Wait(Box::new(Verifying {
        asked,
        slots: asking.slots,
        each,
        producer_id: producer.0,
        guards: asking.guards,
        deadline: incoming.now.instant.after_ms(services.questions.timeout_ms()),
        request: Kept::of(incoming),
    }))
}

/// Whether each batch belongs to the transaction of one producer that is open where the batch goes: the case of all requests but
/// the first few of a transaction, so that these cost little more than any other.
fn all_open(request: &ProduceRequest<'_>, services: &Services, view: &View) -> bool {
    let mut producer = None;
    request.partitions().all(|(topic, ProducePartition { index, records })| {
        let Some(header) = transactional_header(records) else { return true };
        let who = (header.producer_id, header.producer_epoch);
        let open = || {
            let partition = services.hosted.find(route(view, topic, index)?.topic.id, index)?;
            Ok::<_, ErrorCode>(partition.is_in_transaction(who.0, who.1))
        };
        *producer.get_or_insert(who) == who && open().is_ok_and(|open| open)
    })
}

/// The header of what may be a batch of a transaction. What is no batch of magic 2 says nothing of transactions; it is
/// refused for what it is.
fn transactional_header(records: Option<&[u8]>) -> Option<BatchHeader> {
    let records = records?;
    BatchHeader::decode(records).filter(|header| magic_of(records) == Some(MAGIC) && header.is_transactional())
}

/// Transactional records without a transactional id fail every partition: nobody could have been asked whether that may be
/// written.
fn without_id(request: &ProduceRequest<'_>) -> Standings {
    if request.partitions().any(|(_, partition)| transactional_header(partition.records).is_some()) {
        return Standings::Refused(ErrorCode::TransactionalIdAuthorizationFailed);
    }
    Standings::Plain
}

/// The transactional batches of a request among those that will be appended, as far as that is known yet.
fn transactional(incoming: &Incoming<'_>, request: &ProduceRequest<'_>, view: &View) -> Vec<Transactional> {
    let mut found = Vec::new();
    for (slot, (topic, ProducePartition { index, records })) in request.partitions().enumerate() {
        let Ok(routed) = route(view, topic, index) else { continue };
        let header = validate::parse_single(records.unwrap_or_default(), incoming.header.api_version);
        let Some(header) = header.ok().filter(|header| header.is_transactional() && header.producer_id.is_some())
        else {
            continue;
        };
        if !super::is_closed_to(routed.topic, incoming) {
            let (topic_id, topic) = (routed.topic.id, routed.topic.name.clone());
            found.push(Transactional { slot, topic_id, topic, index, header });
        }
    }
    found
}

/// What must be asked.
struct Asking {
    partitions: Vec<(Arc<str>, PartitionIndex)>,
    guards: Vec<(Arc<Partition>, Guard)>,
    /// Places in the request, each with its place in the question.
    slots: Vec<(usize, usize)>,
}

/// Takes a guard of each partition that has no open transaction of the producer.
fn claim(
    batches: &[Transactional],
    slots: usize,
    adds: bool,
    now: Now,
    services: &Services,
) -> (Vec<Standing>, Asking) {
    let mut each = vec![Standing::Shows(Proof::None); slots];
    let mut asking = Asking { partitions: Vec::new(), guards: Vec::new(), slots: Vec::new() };
    let mut places = HashMap::new();
    for Transactional { slot, topic_id, topic, index, header } in batches {
        // Who is not led here, or not usable, is told so at the append.
        let Ok(partition) = services.hosted.find(*topic_id, *index) else { continue };
        let claim = Claim {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            sequence: header.base_sequence,
            second_version: adds,
        };
        match partition.claim(LeaderEpoch::NONE, &claim, now.wall) {
            Ok(Claimed::Open) | Err(Refused::Code(_)) => {}
            Ok(Claimed::Confirmed(guard)) => each[*slot] = Standing::Shows(Proof::Guard(guard)),
            Ok(Claimed::Guard(guard)) => {
                each[*slot] = Standing::Shows(Proof::Guard(guard));
                let place = *places.entry((*topic_id, *index)).or_insert_with(|| {
                    asking.partitions.push((topic.clone(), *index));
                    asking.guards.push((partition.clone(), guard));
                    asking.partitions.len() - 1
                });
                asking.slots.push((*slot, place));
            }
            Ok(Claimed::Full) => each[*slot] = unverified(ErrorCode::CoordinatorNotAvailable),
            Err(refused) => each[*slot] = Standing::Refused(refused.code(), None),
        }
    }
    (each, asking)
}

/// A refusal that every producer tries again after.
fn unverified(cause: ErrorCode) -> Standing {
    let cause = cause.name();
    let words = format!("Unable to verify the partition has been added to the transaction. Underlying error: {cause}");
    Standing::Refused(ErrorCode::NotEnoughReplicas, Some(words.into()))
}

/// What a coordinator's refusal is for a producer of this version.
fn refused(code: ErrorCode, version: i16) -> Standing {
    let not_in_it = || Some("Partition was not added to the transaction".into());
    match code {
        // Producers await this one where they are fenced.
        ErrorCode::ProducerFenced => Standing::Refused(ErrorCode::InvalidProducerEpoch, None),
        ErrorCode::InvalidTxnState | ErrorCode::ClusterAuthorizationFailed => {
            Standing::Refused(ErrorCode::InvalidTxnState, not_in_it())
        }
        ErrorCode::TransactionAbortable if version < ABORTABLE_SINCE_VERSION => {
            Standing::Refused(ErrorCode::InvalidTxnState, not_in_it())
        }
        ErrorCode::NetworkException
        | ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::NotCoordinator => unverified(code),
        ErrorCode::ConcurrentTransactions if version < ADDS_SINCE_VERSION => unverified(code),
        other => Standing::Refused(other, None),
    }
}

/// Begins anew; the time that it may take is the same.
fn ask_again(
    kept: &Kept,
    deadline: Instant,
    services: &Services,
    link: &Arc<Link>,
    now: Now,
    output: &mut Output,
) -> Result<Handled, Close> {
    let incoming = kept.incoming(link, now);
    let request = ProduceRequest::decode(incoming.body, kept.api_version);
    let request = request.map_err(|error| malformed(&incoming, &error))?;
    let view = services.view.load();
    match before(&incoming, &request, services, &view) {
        Before::Append(standings) => super::append_all(&incoming, &request, services, &view, &standings, output),
        Before::Wait(verifying) => Ok(Handled::Undecided(Box::new(Verifying { deadline, ..*verifying }))),
    }
}

/// A produce whose transaction is asked about.
#[derive(Debug)]
pub(super) struct Verifying {
    asked: Asked,
    /// Which places of the request were asked about, each with its place in the question.
    slots: Vec<(usize, usize)>,
    each: Vec<Standing>,
    deadline: Instant,
    producer_id: ProducerId,
    /// Of the partitions that were asked about.
    guards: Vec<(Arc<Partition>, Guard)>,
    request: Kept,
}

impl Undecided for Verifying {
    fn is_decided(&self, now: Now) -> bool {
        self.asked.is_answered() || now.instant >= self.deadline
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn resume(
        self: Box<Self>,
        services: &Services,
        link: &Arc<Link>,
        now: Now,
        output: &mut Output,
    ) -> Result<Handled, Close> {
        let Self { asked, slots, mut each, deadline, producer_id, guards, request: kept } = *self;
        let codes = asked.answer();
        let overtaken = || guards.iter().any(|(partition, guard)| !partition.holds(producer_id, *guard));
        if kept.api_version >= ADDS_SINCE_VERSION && codes.is_some() && overtaken() {
            return ask_again(&kept, deadline, services, link, now, output);
        }
        for (slot, place) in slots {
            let code = match &codes {
                None => ErrorCode::NetworkException,
                Some(codes) => codes.get(place).copied().unwrap_or(ErrorCode::UnknownServerError),
            };
            if !code.is_none() {
                each[slot] = refused(code, kept.api_version);
            }
        }
        let incoming = kept.incoming(link, now);
        let request = ProduceRequest::decode(incoming.body, kept.api_version);
        let request = request.map_err(|error| malformed(&incoming, &error))?;
        let view = services.view.load();
        super::append_all(&incoming, &request, services, &view, &Standings::Each(each), output)
    }
}
