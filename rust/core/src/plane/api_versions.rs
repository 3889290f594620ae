//! Answers `ApiVersions` (18) from the table of APIs and the View.

use crate::error::ErrorCode;
use crate::ids::BrokerId;
use crate::plane::incoming::{Handled, Incoming, malformed};
use crate::plane::link::Close;
use crate::plane::output::Output;
use crate::plane::services::Services;
use crate::wire::api_versions::{
    ApiVersionRange, ApiVersionsRequest, ApiVersionsResponse, FeatureRange, encode_response, encode_unsupported_version,
};

/// Answers; any version is answered, one that does not exist in v0 with the error (KIP-511).
pub fn handle(incoming: &Incoming<'_>, services: &Services, output: &mut Output) -> Result<Handled, Close> {
    let (version, correlation_id) = (incoming.header.api_version, incoming.header.correlation_id);
    if !incoming.header.api.has_version(version) {
        encode_unsupported_version(&mut output.bytes, correlation_id);
        return Ok(Handled::Answered);
    }
    let request = ApiVersionsRequest::decode(incoming.body, version).map_err(|error| malformed(incoming, &error))?;
    let view = services.view.load();
    let error = refusal(&request, version, services.node_id, &view.cluster.cluster_id);
    let mut apis = Vec::new();
    let mut supported = Vec::new();
    let mut finalized = Vec::new();
    if error.is_none() {
        apis.extend(services.apis.iter().map(|api| ApiVersionRange {
            key: api.key,
            min: api.advertised.0,
            max: api.advertised.1,
        }));
        for feature in &view.cluster.features {
            let range = |min, max| FeatureRange { name: &feature.name, min, max };
            supported.push(range(feature.supported_min, feature.supported_max));
            if feature.finalized > 0 {
                finalized.push(range(feature.finalized, feature.finalized));
            }
        }
    }
    let response = ApiVersionsResponse {
        error,
        apis: &apis,
        throttle_time_ms: 0,
        supported_features: &supported,
        finalized_features_epoch: if error.is_none() { view.cluster.metadata_offset } else { -1 },
        finalized_features: &finalized,
    };
    encode_response(&mut output.bytes, correlation_id, version, &response);
    Ok(Handled::Answered)
}

fn refusal(request: &ApiVersionsRequest<'_>, version: i16, node: BrokerId, cluster_id: &str) -> ErrorCode {
    if !request.is_valid(version) {
        return ErrorCode::InvalidRequest;
    }
    let meant = request.cluster_id.is_none_or(|wanted| wanted == cluster_id && request.node_id == node);
    if meant { ErrorCode::None } else { ErrorCode::RebootstrapRequired }
}
