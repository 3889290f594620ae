use super::*;
use crate::wire::api_versions::{
    API, ApiVersionRange, ApiVersionsRequest, ApiVersionsResponse, FeatureRange, encode_response,
    encode_unsupported_version,
};
use crate::wire::client::Call;
use crate::wire::client::api_versions::{ApiVersionsAnswer, encode_request};

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Request {
    software: [String; 2],
    cluster_id: Option<String>,
    node_id: i32,
}

impl Message for Request {
    const NAME: &'static str = "ApiVersionsRequest";
    const API: &'static Api = API;

    fn any(version: i16) -> BoxedStrategy<Self> {
        let word = || since(version >= 3, text(), String::new());
        ([word(), word()], since(version >= 5, nullable(text()), None), since(version >= 5, any::<i32>(), -1))
            .prop_map(|(software, cluster_id, node_id)| Self { software, cluster_id, node_id })
            .boxed()
    }

    fn golden(version: i16, kind: Kind) -> Self {
        let full = |since: i16| kind != Kind::Least && version >= since;
        let software = if full(3) { ["golden-client", "4.4.0"] } else { ["", ""] };
        Self {
            software: software.map(Into::into),
            cluster_id: Some("cluster-1".to_owned()).filter(|_| full(5)),
            node_id: if full(5) { 3 } else { -1 },
        }
    }

    fn encode(&self, version: i16, client_id: Option<&str>) -> Vec<u8> {
        let [client_software_name, client_software_version] = &self.software;
        let request = ApiVersionsRequest {
            client_software_name,
            client_software_version,
            cluster_id: self.cluster_id.as_deref(),
            node_id: BrokerId(self.node_id),
        };
        let mut out = Vec::new();
        encode_request(&mut out, &Call { version, correlation_id: CORRELATION, client_id }, &request);
        out
    }

    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError> {
        let request = ApiVersionsRequest::decode(request_body(frame, API, version)?, version)?;
        Ok(Self {
            software: [request.client_software_name, request.client_software_version].map(Into::into),
            cluster_id: request.cluster_id.map(Into::into),
            node_id: request.node_id.0,
        })
    }
}

/// Name, lowest and highest level.
type Feature = (String, i16, i16);

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Response {
    error: ErrorCode,
    apis: Vec<ApiVersionRange>,
    throttle_time_ms: i32,
    supported: Vec<Feature>,
    epoch: i64,
    finalized: Vec<Feature>,
}

fn borrow(features: &[Feature]) -> Vec<FeatureRange<'_>> {
    features.iter().map(|(name, min, max)| FeatureRange { name, min: *min, max: *max }).collect()
}

fn own(feature: FeatureRange<'_>) -> Feature {
    (feature.name.into(), feature.min, feature.max)
}

impl Message for Response {
    const NAME: &'static str = "ApiVersionsResponse";
    const API: &'static Api = API;

    fn any(version: i16) -> BoxedStrategy<Self> {
        let api = any::<[i16; 3]>().prop_map(|[key, min, max]| ApiVersionRange { key, min, max });
        let supported = vec((text(), i16::from(version < 4)..100, any::<i16>()), 0..3);
        let finalized = vec((text(), any::<i16>(), any::<i16>()), 0..3);
        (
            any_code(),
            vec(api, 0..5),
            since(version >= 1, any::<i32>(), 0),
            since(version >= 3, supported, Vec::new()),
            since(version >= 3, any::<i64>(), -1),
            since(version >= 3, finalized, Vec::new()),
        )
            .prop_map(|(error, apis, throttle_time_ms, supported, epoch, finalized)| Self {
                error,
                apis,
                throttle_time_ms,
                supported,
                epoch,
                finalized,
            })
            .boxed()
    }

    fn golden(version: i16, kind: Kind) -> Self {
        let mut response = Self {
            error: ErrorCode::None,
            apis: Vec::new(),
            throttle_time_ms: 0,
            supported: Vec::new(),
            epoch: -1,
            finalized: Vec::new(),
        };
        if kind == Kind::Least {
            return response;
        }
        let api = |key: i16| ApiVersionRange { key, min: 1, max: 10 + key };
        if kind == Kind::Full {
            response.error = ErrorCode::UnsupportedVersion;
        }
        response.apis = (0..if kind == Kind::Many { 200 } else { 3 }).map(api).collect();
        response.throttle_time_ms = if version >= 1 { 250 } else { 0 };
        if version >= 4 {
            response.supported.push(("from.zero".into(), 0, 3));
        }
        if version >= 3 {
            response.supported.push(("from.one".into(), 1, 4));
            response.epoch = 99;
            response.finalized = vec![("from.one".into(), 2, 3)];
        }
        response
    }

    fn encode(&self, version: i16, _client_id: Option<&str>) -> Vec<u8> {
        let response = ApiVersionsResponse {
            error: self.error,
            apis: &self.apis,
            throttle_time_ms: self.throttle_time_ms,
            supported_features: &borrow(&self.supported),
            finalized_features_epoch: self.epoch,
            finalized_features: &borrow(&self.finalized),
        };
        let mut out = Vec::new();
        encode_response(&mut out, CORRELATION, version, &response);
        out
    }

    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError> {
        let response = ApiVersionsAnswer::decode(response_body(frame, API, version)?, version)?;
        Ok(Self {
            error: response.error,
            apis: response.apis.iter().collect(),
            throttle_time_ms: response.throttle_time_ms,
            supported: response.supported_features.iter().map(own).collect(),
            epoch: response.finalized_features_epoch,
            finalized: response.finalized_features.iter().map(|feature| own(feature.0)).collect(),
        })
    }
}

#[test]
fn features_from_level_zero_are_not_shown_in_v3() {
    let supported = vec![("zero".to_owned(), 0, 1), ("one".to_owned(), 1, 1)];
    let response = Response { supported: supported.clone(), ..Response::golden(3, Kind::Least) };
    let shown = |version| Response::decode(&response.encode(version, None)[4..], version).unwrap().supported;
    assert_eq!(shown(3), supported[1..]);
    assert_eq!(shown(4), supported);
}

#[test]
fn a_version_that_is_not_known_is_answered_in_v0() {
    let mut out = Vec::new();
    encode_unsupported_version(&mut out, CORRELATION);
    assert_eq!(out, from_hex("000000100000004d002300000001001200000005"));
}
