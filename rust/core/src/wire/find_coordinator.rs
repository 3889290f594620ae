//! `FindCoordinator` (10): which broker coordinates this group or transactional id?
//!
//! v1 key type · v3 flexible · v4 many keys (KIP-699) · v6 share groups (KIP-932)

use super::cursor::{Array, Cursor, Element, Fault, WireError};
use super::header::{APIS, Api, begin_response};
use super::writer::Writer;
use crate::error::ErrorCode;
use crate::ids::BrokerId;

pub(super) const API: &Api = &APIS[6];

/// The first version with many keys.
pub(super) const MANY_SINCE: i16 = 4;

/// What the keys name (Kafka class `CoordinatorType`).
pub mod key_type {
    /// A group.
    pub const GROUP: i8 = 0;
    /// A transactional id.
    pub const TRANSACTION: i8 = 1;
}

/// A request, checked to its end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FindCoordinatorRequest<'a> {
    /// What the keys name; a group before v1.
    pub key_type: i8,
    /// Whose coordinators are sought.
    pub keys: Keys<'a>,
}

/// One key before v4, then as many as one likes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Keys<'a> {
    /// The only one.
    One(&'a str),
    /// In the order of the request.
    Many(Array<'a, &'a str>),
}

impl<'a> Keys<'a> {
    /// All of them, in the order of the request.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> {
        let (one, many) = match *self {
            Self::One(key) => (Some(key), None),
            Self::Many(keys) => (None, Some(keys)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

impl<'a> FindCoordinatorRequest<'a> {
    /// Reads the body. `body` is the cursor that the header left behind.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let one = if version < MANY_SINCE { Some(cursor.string()?) } else { None };
        let key_type = if version >= 1 { cursor.i8()? } else { key_type::GROUP };
        let keys = match one {
            Some(key) => Keys::One(key),
            None => Keys::Many(Array::read(&mut cursor, version)?),
        };
        cursor.skip_tags()?;
        Ok(Self { key_type, keys })
    }
}

impl<'a> Element<'a> for &'a str {
    const BYTES_MIN: usize = 1;

    fn read(cursor: &mut Cursor<'a>, _version: i16) -> Result<Self, WireError> {
        cursor.string()
    }
}

/// The answer about one key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoundCoordinator<'a> {
    /// Whose coordinator (v4+).
    pub key: &'a str,
    /// The broker, or -1.
    pub node: BrokerId,
    /// Where it is reached.
    pub host: &'a str,
    /// At which port.
    pub port: i32,
    /// What went wrong, if anything.
    pub error: ErrorCode,
    /// The same for people (v1+).
    pub message: Option<&'a str>,
}

/// Writes the answer as a frame behind what `out` holds: about one key before v4.
pub fn encode_response<'a>(
    out: &mut Vec<u8>,
    correlation_id: i32,
    version: i16,
    throttle_time_ms: i32,
    found: impl ExactSizeIterator<Item = FoundCoordinator<'a>>,
) {
    let mut writer = begin_response(out, API, version, correlation_id);
    if version >= 1 {
        writer.i32(throttle_time_ms);
    }
    if version >= MANY_SINCE {
        writer.length(Some(found.len()));
        for each in found {
            writer.string(each.key);
            place(&mut writer, &each);
            writer.error(each.error);
            writer.nullable_string(each.message);
            writer.no_tags();
        }
    } else if let Some(one) = found.last() {
        writer.error(one.error);
        if version >= 1 {
            writer.nullable_string(one.message);
        }
        place(&mut writer, &one);
    }
    writer.no_tags();
    writer.end_frame(0);
}

fn place(writer: &mut Writer<'_>, found: &FoundCoordinator<'_>) {
    writer.i32(found.node.0);
    writer.string(found.host);
    writer.i32(found.port);
}
