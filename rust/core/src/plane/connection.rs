//! One connection, without its socket: bytes in, answers out, in order.
//!
//! Prior art: h11's connection, Kafka's `SocketServer.Processor`. Kafka mutes a connection while one request is in work; ours
//! goes on with the next while an earlier one only *waits* (acks=all, `min_bytes`), and answers leave in request order
//! (law 4). A request that went up to the control plane, or to a pool, stops the reading until it is answered.
//!
//! Invariant: every request that is owed an answer has exactly one slot, or was answered into `output` directly, which
//! happens only while no slot is open.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::limits::IN_FLIGHT_PER_CONNECTION_MAX;
use crate::plane::clock::{Instant, Now};
use crate::plane::dispatch;
use crate::plane::frames::{Frames, split_frame};
use crate::plane::incoming::{Handled, Kept, Undecided, Waiting};
use crate::plane::link::{Answer, Close, Link};
use crate::plane::output::Output;
use crate::plane::services::Services;
use crate::plane::standing::StandingAnswers;
use crate::wire::header::{Api, begin_response};

/// Bytes of answers a client may leave unread before no more of its requests are taken.
const UNSENT_BYTES_MAX: usize = 1024 * 1024;

/// An answer that is owed.
#[derive(Debug)]
enum Slot {
    /// It is there and waits for its turn.
    Ready(Output),
    /// It waits for what happens to partitions.
    Waits(Box<dyn Waiting>),
    /// It has not begun. Always the last.
    Undecided(Box<dyn Undecided>),
    /// Somebody else makes it.
    Away { number: u64, api: &'static Api, version: i16, correlation_id: i32, kept: Option<Box<Kept>> },
}

impl Slot {
    fn is_decided(&self, now: Now) -> bool {
        matches!(self, Self::Undecided(undecided) if undecided.is_decided(now))
    }
}

/// The state of one connection.
#[derive(Debug)]
pub struct Connection {
    link: Arc<Link>,
    frames: Frames,
    slots: VecDeque<Slot>,
    standing: StandingAnswers,
    /// What the socket shall take.
    pub output: Output,
    next_number: u64,
}

impl Connection {
    /// A fresh connection.
    #[must_use]
    pub fn new(link: Arc<Link>, now: Now) -> Self {
        link.used(now.instant);
        Self {
            link,
            frames: Frames::default(),
            slots: VecDeque::new(),
            standing: StandingAnswers::default(),
            output: Output::default(),
            next_number: 0,
        }
    }

    /// Whether more bytes may be read from the socket.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        self.accepts_requests()
    }

    fn accepts_requests(&self) -> bool {
        let held = match self.slots.back() {
            Some(Slot::Away { .. } | Slot::Undecided(_)) => true,
            Some(Slot::Waits(waiting)) => waiting.holds(),
            _ => false,
        };
        !held && self.slots.len() < IN_FLIGHT_PER_CONNECTION_MAX && self.unsent_bytes() < UNSENT_BYTES_MAX
    }

    /// Of answers that are there, whether it is their turn or not.
    fn unsent_bytes(&self) -> usize {
        let ready =
            self.slots.iter().map(|slot| if let Slot::Ready(output) = slot { output.unsent_bytes() } else { 0 });
        self.output.unsent_bytes() + ready.sum::<usize>()
    }

    /// A buffer to read the rest of a frame into; none when nothing is begun.
    pub fn room(&mut self) -> Option<&mut Vec<u8>> {
        self.frames.room()
    }

    /// Takes bytes that were read elsewhere: whole frames are handled where they are.
    pub fn receive(&mut self, mut bytes: &[u8], services: &Services, now: Now) -> Result<(), Close> {
        self.link.used(now.instant);
        if !self.frames.is_empty() {
            self.frames.keep(bytes);
            return self.handle_kept(services, now);
        }
        while self.accepts_requests() {
            match split_frame(bytes, services.limits.frame_bytes_max) {
                Ok(Some((frame, rest))) => {
                    self.handle(frame, services, now)?;
                    bytes = rest;
                }
                Ok(None) => break,
                Err(bad) => return Err(Close(bad.to_string())),
            }
        }
        if !bytes.is_empty() {
            self.frames.keep(bytes);
        }
        Ok(())
    }

    /// Handles what was read into [`Connection::room`].
    pub fn received(&mut self, services: &Services, now: Now) -> Result<(), Close> {
        self.link.used(now.instant);
        self.handle_kept(services, now)
    }

    /// Handles what was kept while no request could be taken; to be called when [`Connection::settle`] moved something and
    /// when the output was sent. Half a frame is no sign of life: the connection is as idle as before.
    pub fn handle_kept(&mut self, services: &Services, now: Now) -> Result<(), Close> {
        if self.frames.is_empty() {
            return Ok(());
        }
        let mut frames = std::mem::take(&mut self.frames);
        let mut outcome = Ok(());
        while outcome.is_ok() && self.accepts_requests() {
            let kept = frames.kept();
            match split_frame(kept, services.limits.frame_bytes_max) {
                Ok(Some((frame, rest))) => {
                    let used = kept.len() - rest.len();
                    outcome = self.handle(frame, services, now);
                    frames.consume(used);
                }
                Ok(None) => break,
                Err(bad) => outcome = Err(Close(bad.to_string())),
            }
        }
        self.frames = frames;
        outcome
    }

    fn handle(&mut self, frame: &[u8], services: &Services, now: Now) -> Result<(), Close> {
        let direct = self.slots.is_empty();
        let mut aside = Output::default();
        let output = if direct { &mut self.output } else { &mut aside };
        let handled = if self.standing.answer(frame, now.instant, output) {
            Handled::Answered
        } else {
            dispatch::handle(frame, &self.link, self.next_number, services, now, output)?
        };
        if matches!(handled, Handled::Away { .. }) {
            self.standing.asked(self.next_number, frame);
        }
        self.note(handled, direct, aside);
        Ok(())
    }

    /// A request that was undecided goes on where it stands: behind all others.
    fn resume(&mut self, services: &Services, now: Now) -> Result<bool, Close> {
        let decided = self.slots.back().is_some_and(|slot| slot.is_decided(now));
        let last = if decided { self.slots.pop_back() } else { None };
        let Some(Slot::Undecided(undecided)) = last else { return Ok(false) };
        let direct = self.slots.is_empty();
        let mut aside = Output::default();
        let output = if direct { &mut self.output } else { &mut aside };
        let handled = undecided.resume(services, &self.link, now, output)?;
        self.note(handled, direct, aside);
        self.link.used(now.instant);
        Ok(true)
    }

    /// Gives a request the slot that it needs.
    fn note(&mut self, handled: Handled, direct: bool, aside: Output) {
        let number = self.next_number;
        match handled {
            Handled::Answered if direct => {}
            Handled::Answered => self.slots.push_back(Slot::Ready(aside)),
            Handled::Silent => {}
            Handled::Waits(waiting) => self.slots.push_back(Slot::Waits(waiting)),
            Handled::Undecided(undecided) => self.slots.push_back(Slot::Undecided(undecided)),
            Handled::Away { api, version, correlation_id, kept } => {
                self.slots.push_back(Slot::Away { number, api, version, correlation_id, kept });
                self.next_number += 1;
            }
        }
    }

    /// Looks at what arrived from elsewhere and at what is due; moves the answers whose turn it is to the output. Says
    /// whether anything moved.
    pub fn settle(&mut self, services: &Services, now: Now) -> Result<bool, Close> {
        if self.link.is_kicked() {
            return Err(Close("ended by the broker".to_owned()));
        }
        let mut moved = false;
        for (number, answer) in self.link.take_answers() {
            moved |= self.place(number, answer, services, now)?;
        }
        moved |= self.resume(services, now)?;
        while let Some(front) = self.slots.front_mut() {
            match front {
                Slot::Ready(output) => self.output.append(std::mem::take(output)),
                Slot::Waits(waiting) => {
                    if !waiting.complete(services, &self.link, now, &mut self.output)? {
                        break;
                    }
                }
                Slot::Undecided(_) | Slot::Away { .. } => break,
            }
            self.slots.pop_front();
            self.link.used(now.instant);
            moved = true;
        }
        Ok(moved)
    }

    /// Puts an answer into its slot. Says whether a slot is gone with that.
    fn place(&mut self, wanted: u64, answer: Answer, services: &Services, now: Now) -> Result<bool, Close> {
        let is_asked = |slot: &Slot| matches!(slot, Slot::Away { number, .. } if *number == wanted);
        let Some(at) = self.slots.iter().position(is_asked) else { return Ok(false) };
        let Some(Slot::Away { api, version, correlation_id, kept, .. }) = self.slots.get_mut(at) else {
            return Ok(false);
        };
        let output = match answer {
            Answer::Close(reason) => return Err(Close(reason)),
            Answer::Again => {
                let kept = kept.take();
                return self.handle_again(at, kept, services, now);
            }
            Answer::Frame(output) => output,
            Answer::Body(body) => framed(api, *version, *correlation_id, &body),
            Answer::Standing(body, standing) => {
                self.standing.keep(wanted, api, *version, &body, standing, now.instant);
                framed(api, *version, *correlation_id, &body)
            }
        };
        self.slots[at] = Slot::Ready(output);
        Ok(false)
    }

    /// A request that was away is handled here after all: nothing came after it, so it is the last.
    fn handle_again(
        &mut self,
        at: usize,
        kept: Option<Box<Kept>>,
        services: &Services,
        now: Now,
    ) -> Result<bool, Close> {
        let Some(kept) = kept.filter(|_| at + 1 == self.slots.len()) else {
            return Err(Close("a request was sent back that cannot be handled here".to_owned()));
        };
        self.slots.pop_back();
        let direct = self.slots.is_empty();
        let mut aside = Output::default();
        let output = if direct { &mut self.output } else { &mut aside };
        let mut incoming = kept.incoming(&self.link, now);
        incoming.number = self.next_number;
        incoming.leaves_asked += 1;
        let handled = dispatch::route(&incoming, services, output)?;
        self.note(handled, direct, aside);
        self.link.used(now.instant);
        Ok(true)
    }

    /// The socket took `count` bytes of the output.
    pub fn sent(&mut self, count: usize, now: Now) {
        self.output.advance(count);
        self.link.used(now.instant);
    }

    /// When [`Connection::settle`] must be called even if no bell rings; none while somebody else has the next word. Of
    /// those that wait only the first counts: nothing behind it may be answered before it.
    #[must_use]
    pub fn deadline(&self, services: &Services) -> Option<Instant> {
        let begins = match self.slots.back() {
            Some(Slot::Undecided(undecided)) => Some(undecided.deadline()),
            _ => None,
        };
        let ends = match self.slots.front() {
            Some(Slot::Waits(waiting)) => Some(waiting.deadline()),
            Some(Slot::Ready(_) | Slot::Undecided(_) | Slot::Away { .. }) => None,
            None if services.limits.idle_ms_max < 0 => None,
            None => Some(self.link.last_active().after_ms(services.limits.idle_ms_max)),
        };
        begins.into_iter().chain(ends).min()
    }

    /// Whether nothing was heard, and nothing taken of what there is to send, for so long that the connection is closed.
    #[must_use]
    pub fn is_idle_too_long(&self, services: &Services, now: Now) -> bool {
        services.limits.idle_ms_max >= 0
            && self.slots.is_empty()
            && now.instant >= self.link.last_active().after_ms(services.limits.idle_ms_max)
    }

    /// Takes what waits on partitions out again; to be called when the connection ends.
    pub fn release(&mut self) {
        for slot in self.slots.drain(..) {
            match slot {
                Slot::Waits(mut waiting) => waiting.release(),
                Slot::Ready(_) | Slot::Undecided(_) | Slot::Away { .. } => {}
            }
        }
    }

    /// Gives back memory while nothing is to be done.
    pub fn shrink(&mut self) {
        self.output.shrink();
        self.frames.shrink();
    }
}

fn framed(api: &Api, version: i16, correlation_id: i32, body: &[u8]) -> Output {
    let mut output = Output::default();
    output.bytes.reserve(body.len() + 16);
    let mut writer = begin_response(&mut output.bytes, api, version, correlation_id);
    writer.raw(body);
    writer.end_frame(0);
    output
}
