//! The interpreter of message declarations: what a message of one version looks like, as a small program.
//!
//! Every message of Kafka is declared once, in Python. A declaration is lowered to a [`Program`] per (message,
//! version): structs in an order where a struct comes after all it contains, each a list of steps. Decoding and
//! encoding walk the steps; what is built from, or read for, each step is the business of a [`Builder`] or a
//! [`Source`], so that the walk itself knows nothing of Python and can be tested and fuzzed alone.
//!
//! Prior art: Kafka's `Schema` and `ObjectSerializationCache` before its generated classes, protobuf's table-driven
//! parser (upb). Ours: versions are resolved when the program is made, so the walk has no branch on a version.
//!
//! Invariants: depth is that of the schema, since a struct refers to earlier ones only; nothing is allocated for an
//! array before the bytes left are known to be able to hold it.

mod decode;
mod encode;
mod fault;
pub mod plain;
mod reader;
#[cfg(test)]
mod tests;

pub use decode::Builder;
pub use encode::{Encoded, Source};
pub use fault::{Details, Fault, PathStep, Reason};
pub use reader::Reader;

/// What one field, or one element of an array field, is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint16,
    Uint32,
    Float64,
    Uuid,
    /// Text; bytes that are not UTF-8 become replacement characters, as in Kafka.
    String,
    /// Text that will be met again and again, such as the name of a topic: builders may share it.
    Name,
    Bytes,
    /// Record batches, as opaque bytes.
    Records,
    /// An earlier struct of the program, by its index.
    Struct(usize),
}

impl Kind {
    /// The kind of a number used by those who lower declarations; `structure` is read for a struct only.
    pub fn from_code(code: u8, structure: usize) -> Option<Self> {
        Some(match code {
            0 => Self::Bool,
            1 => Self::Int8,
            2 => Self::Int16,
            3 => Self::Int32,
            4 => Self::Int64,
            5 => Self::Uint16,
            6 => Self::Uint32,
            7 => Self::Float64,
            8 => Self::Uuid,
            9 => Self::String,
            10 => Self::Name,
            11 => Self::Bytes,
            12 => Self::Records,
            13 => Self::Struct(structure),
            _ => return None,
        })
    }
}

/// Where a field of a struct is in this version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// In its place among the fields.
    Plain,
    /// In the tag section, when it has not its default.
    Tagged(u32),
    /// Not in this version; a value other than the default is dropped.
    AbsentIgnorable,
    /// Not in this version; a value other than the default cannot be sent.
    Absent,
}

/// One field of a struct as this version has it. Its position in the struct is its slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    pub kind: Kind,
    pub array: bool,
    pub nullable: bool,
    /// Lengths are unsigned varints, one more than the length.
    pub compact: bool,
    pub presence: Presence,
}

/// A struct of the program.
#[derive(Clone, Debug)]
pub(crate) struct Structure {
    /// Fields in the order of the wire, with their slots.
    plain: Vec<(usize, Field)>,
    /// Tagged fields in ascending order of their tags.
    tagged: Vec<(u32, usize, Field)>,
    /// Slots of the fields that this version lacks, and whether a value there may be dropped.
    absent: Vec<(usize, bool)>,
    /// Whether the struct ends with a tag section.
    flexible: bool,
    /// No encoding is shorter.
    bytes_min: usize,
}

/// A message in one version, ready to be walked. The last struct is the message itself.
#[derive(Clone, Debug)]
pub struct Program {
    structs: Vec<Structure>,
}

/// The most tagged fields that one struct may declare; Kafka's richest has nine.
const DECLARED_TAGS_MAX: usize = 64;

/// Why a list of fields is no program: a mistake of those who declare messages, never of a peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed(pub String);

impl Program {
    /// Checks and arranges structs, each given as (flexible, fields in the order of the declaration).
    pub fn new(structs: &[(bool, Vec<Field>)]) -> Result<Self, Malformed> {
        let mut arranged: Vec<Structure> = Vec::with_capacity(structs.len());
        for (index, (flexible, fields)) in structs.iter().enumerate() {
            let structure = arrange(&arranged, *flexible, fields)
                .map_err(|Malformed(why)| Malformed(format!("struct {index}: {why}")))?;
            arranged.push(structure);
        }
        if arranged.is_empty() {
            return Err(Malformed("no struct".into()));
        }
        Ok(Self { structs: arranged })
    }

    fn root(&self) -> usize {
        self.structs.len() - 1
    }

    /// The fewest bytes that one element of this kind takes.
    fn element_bytes_min(&self, field: Field) -> usize {
        kind_bytes_min(&self.structs, field.kind, field.compact, false)
    }
}

fn arrange(earlier: &[Structure], flexible: bool, fields: &[Field]) -> Result<Structure, Malformed> {
    let (mut plain, mut tagged, mut absent) = (Vec::new(), Vec::new(), Vec::new());
    for (slot, &field) in fields.iter().enumerate() {
        let sent = matches!(field.presence, Presence::Plain | Presence::Tagged(_));
        if let Kind::Struct(index) = field.kind
            && sent
            && index >= earlier.len()
        {
            return Err(Malformed(format!("field {slot} refers to struct {index}, which does not come before it")));
        }
        match field.presence {
            Presence::Plain => plain.push((slot, field)),
            Presence::Tagged(tag) if flexible => tagged.push((tag, slot, field)),
            Presence::Tagged(_) => return Err(Malformed(format!("field {slot} is tagged in a struct without tags"))),
            Presence::AbsentIgnorable => absent.push((slot, true)),
            Presence::Absent => absent.push((slot, false)),
        }
    }
    tagged.sort_by_key(|&(tag, ..)| tag);
    if tagged.windows(2).any(|pair| pair[0].0 == pair[1].0) || tagged.len() > DECLARED_TAGS_MAX {
        return Err(Malformed("a tag is used twice, or there are too many".into()));
    }
    let bytes_min = plain
        .iter()
        .map(|(_, field)| {
            if field.array {
                length_bytes_min(field.compact, 4)
            } else {
                kind_bytes_min(earlier, field.kind, field.compact, field.nullable)
            }
        })
        .sum::<usize>()
        + usize::from(flexible);
    Ok(Structure { plain, tagged, absent, flexible, bytes_min })
}

const fn length_bytes_min(compact: bool, fixed: usize) -> usize {
    if compact { 1 } else { fixed }
}

fn kind_bytes_min(structs: &[Structure], kind: Kind, compact: bool, nullable: bool) -> usize {
    match kind {
        Kind::Bool | Kind::Int8 => 1,
        Kind::Int16 | Kind::Uint16 => 2,
        Kind::Int32 | Kind::Uint32 => 4,
        Kind::Int64 | Kind::Float64 => 8,
        Kind::Uuid => 16,
        Kind::String | Kind::Name => length_bytes_min(compact, 2),
        Kind::Bytes | Kind::Records => length_bytes_min(compact, 4),
        Kind::Struct(_) if nullable => 1,
        Kind::Struct(index) => structs[index].bytes_min,
    }
}
