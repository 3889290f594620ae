//! What went wrong in a walk, and where.

use std::fmt;
use std::ops::Deref;

/// One step from the message down to the value that was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathStep {
    /// A field: the index of its struct, and its slot.
    Field(usize, usize),
    /// An element of an array.
    Item(usize),
}

/// A walk that ended early. One word wide: what is said of the rare case must not widen every result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault(Box<Details>);

/// What is said of a walk that ended early.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Details {
    pub reason: Reason,
    /// How many bytes had been read or written.
    pub position: usize,
    /// From the value up to the message: the innermost step first.
    pub path: Vec<PathStep>,
}

/// Why a walk ended early.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The bytes end within a value.
    Truncated { wanted: usize, left: usize },
    /// A varint of more than 32 bits.
    Varint,
    /// A compact length beyond 31 bits, which is negative to Kafka.
    NegativeLength(i64),
    /// A null where this version has none.
    Null,
    /// More elements than are allowed.
    TooMany { count: usize, limit: usize },
    /// An array that the bytes left cannot hold.
    Impossible { count: usize, left: usize },
    /// A string of more than 32,767 bytes.
    LongString(usize),
    /// A tagged field that is not as long as it says.
    TagSize { tag: u32, said: usize, used: usize },
    /// A value that the field cannot hold.
    Range { low: i64, high: i64 },
    /// A value that this version cannot carry and that must not be lost.
    NotInVersion,
    /// A value of another type than the field's.
    WrongType { wanted: &'static str, found: String },
    /// The builder or the source gave up, for a reason that it keeps.
    Host,
}

impl Fault {
    #[cold]
    pub(crate) fn new(reason: Reason, position: usize) -> Self {
        Self(Box::new(Details { reason, position, path: Vec::new() }))
    }

    #[cold]
    pub(crate) fn within(mut self, step: PathStep) -> Self {
        self.0.path.push(step);
        self
    }
}

impl Deref for Fault {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { wanted, left } => write!(f, "{wanted} bytes wanted, {left} left"),
            Self::Varint => f.write_str("a varint of more than 32 bits"),
            Self::NegativeLength(length) => write!(f, "the length {length}"),
            Self::Null => f.write_str("null, which this version does not allow"),
            Self::TooMany { count, limit } => write!(f, "{count} elements, at most {limit} are taken"),
            Self::Impossible { count, left } => write!(f, "{count} elements claimed, {left} bytes left"),
            Self::LongString(length) => write!(f, "a string of {length} bytes, at most 32767 are taken"),
            Self::TagSize { tag, said, used } => write!(f, "tagged field {tag} says {said} bytes and has {used}"),
            Self::Range { low, high } => write!(f, "not between {low} and {high}"),
            Self::NotInVersion => f.write_str("not the default, and this version has no such field"),
            Self::WrongType { wanted, found } => write!(f, "{wanted} wanted, found {found}"),
            Self::Host => f.write_str("refused"),
        }
    }
}
