//! `FindCoordinator` (10), from the client's side.

use super::Call;
use crate::ids::BrokerId;
use crate::wire::cursor::{Array, Cursor, Element, Fault, WireError};
use crate::wire::find_coordinator::{API, FoundCoordinator, MANY_SINCE};

/// Encodes a request as a frame behind what `out` holds: about the last key before v4.
pub fn encode_request<'k>(
    out: &mut Vec<u8>,
    call: &Call<'_>,
    key_type: i8,
    keys: impl ExactSizeIterator<Item = &'k str>,
) {
    let mut writer = call.begin(out, API);
    let (one, many) = if call.version < MANY_SINCE { (Some(keys.last()), None) } else { (None, Some(keys)) };
    if let Some(key) = one {
        writer.string(key.unwrap_or_default());
    }
    if call.version >= 1 {
        writer.i8(key_type);
    }
    if let Some(keys) = many {
        writer.length(Some(keys.len()));
        keys.for_each(|key| writer.string(key));
    }
    writer.no_tags();
    writer.end_frame(0);
}

/// An answer, checked to its end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FindCoordinatorResponse<'a> {
    /// How long to pause, milliseconds; 0 before v1.
    pub throttle_time_ms: i32,
    one: Option<FoundCoordinator<'a>>,
    many: Option<Array<'a, FoundCoordinator<'a>>>,
}

impl<'a> FindCoordinatorResponse<'a> {
    /// About each key, in the order of the request; one without a key before v4.
    pub fn found(&self) -> impl Iterator<Item = FoundCoordinator<'a>> {
        self.one.into_iter().chain(self.many.into_iter().flatten())
    }

    /// Reads the body. `body` is the cursor that the header left behind.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let throttle_time_ms = if version >= 1 { cursor.i32()? } else { 0 };
        let (one, many) = if version >= MANY_SINCE {
            (None, Some(Array::read(&mut cursor, version)?))
        } else {
            let error = cursor.error_code()?;
            let message = if version >= 1 { cursor.nullable_string()? } else { None };
            let (node, host, port) = (BrokerId(cursor.i32()?), cursor.string()?, cursor.i32()?);
            (Some(FoundCoordinator { key: "", node, host, port, error, message }), None)
        };
        cursor.skip_tags()?;
        Ok(Self { throttle_time_ms, one, many })
    }
}

impl<'a> Element<'a> for FoundCoordinator<'a> {
    const BYTES_MIN: usize = 14;

    fn read(cursor: &mut Cursor<'a>, _version: i16) -> Result<Self, WireError> {
        let key = cursor.string()?;
        let (node, host, port) = (BrokerId(cursor.i32()?), cursor.string()?, cursor.i32()?);
        let (error, message) = (cursor.error_code()?, cursor.nullable_string()?);
        cursor.skip_tags()?;
        Ok(Self { key, node, host, port, error, message })
    }
}
