//! `ApiVersions` (18), from the client's side.

use super::Call;
use crate::error::ErrorCode;
use crate::wire::api_versions::{API, ApiVersionRange, ApiVersionsRequest, FeatureRange};
use crate::wire::cursor::{Array, Cursor, Element, Fault, WireError};

/// Encodes a request as a frame behind what `out` holds; what the version does not carry is left out.
pub fn encode_request(out: &mut Vec<u8>, call: &Call<'_>, request: &ApiVersionsRequest<'_>) {
    let mut writer = call.begin(out, API);
    if call.version >= 3 {
        writer.string(request.client_software_name);
        writer.string(request.client_software_version);
    }
    if call.version >= 5 {
        writer.nullable_string(request.cluster_id);
        writer.i32(request.node_id.0);
    }
    writer.no_tags();
    writer.end_frame(0);
}

/// An answer, checked to its end; what the version does not carry has its default.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ApiVersionsAnswer<'a> {
    /// What went wrong, if anything.
    pub error: ErrorCode,
    /// The APIs.
    pub apis: Array<'a, ApiVersionRange>,
    /// How long to pause, milliseconds (v1+).
    pub throttle_time_ms: i32,
    /// The features that the broker knows (v3+).
    pub supported_features: Array<'a, FeatureRange<'a>>,
    /// The number of the decision about features (v3+), or -1.
    pub finalized_features_epoch: i64,
    /// The features that the cluster has decided on (v3+).
    pub finalized_features: Array<'a, FinalizedFeature<'a>>,
}

/// A feature that the cluster has decided on; the wire has the highest level first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FinalizedFeature<'a>(pub FeatureRange<'a>);

impl<'a> ApiVersionsAnswer<'a> {
    /// Reads the body. `body` is the cursor that the header left behind. A broker that does not know the version of the
    /// request answers in v0: the error stands first in every version.
    pub fn decode(body: Cursor<'a>, version: i16) -> Result<Self, WireError> {
        if !API.has_version(version) {
            return Err(body.error(Fault::UnknownVersion { version }));
        }
        let mut cursor = body.flexible(API.is_flexible(version));
        let mut read = Self {
            error: cursor.error_code()?,
            apis: Array::read(&mut cursor, version)?,
            throttle_time_ms: if version >= 1 { cursor.i32()? } else { 0 },
            supported_features: Array::empty(),
            finalized_features_epoch: -1,
            finalized_features: Array::empty(),
        };
        cursor.tags(|tag, content| {
            match tag {
                0 => read.supported_features = Array::read(content, version)?,
                1 => read.finalized_features_epoch = content.i64()?,
                2 => read.finalized_features = Array::read(content, version)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(read)
    }
}

impl<'a> Element<'a> for ApiVersionRange {
    const BYTES_MIN: usize = 6;

    fn read(cursor: &mut Cursor<'a>, _version: i16) -> Result<Self, WireError> {
        let read = Self { key: cursor.i16()?, min: cursor.i16()?, max: cursor.i16()? };
        cursor.skip_tags()?;
        Ok(read)
    }
}

impl<'a> Element<'a> for FeatureRange<'a> {
    const BYTES_MIN: usize = 6;

    fn read(cursor: &mut Cursor<'a>, _version: i16) -> Result<Self, WireError> {
        let read = Self { name: cursor.string()?, min: cursor.i16()?, max: cursor.i16()? };
        cursor.skip_tags()?;
        Ok(read)
    }
}

impl<'a> Element<'a> for FinalizedFeature<'a> {
    const BYTES_MIN: usize = 6;

    fn read(cursor: &mut Cursor<'a>, _version: i16) -> Result<Self, WireError> {
        let (name, max, min) = (cursor.string()?, cursor.i16()?, cursor.i16()?);
        cursor.skip_tags()?;
        Ok(Self(FeatureRange { name, min, max }))
    }
}
