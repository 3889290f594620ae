use super::*;
use crate::wire::client::Call;
use crate::wire::client::find_coordinator::{FindCoordinatorResponse, encode_request};
use crate::wire::find_coordinator::{API, FindCoordinatorRequest, FoundCoordinator, encode_response};

const MANY_SINCE: i16 = 4;

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Request {
    key_type: i8,
    keys: Vec<String>,
}

impl Message for Request {
    const NAME: &'static str = "FindCoordinatorRequest";
    const API: &'static Api = API;

    fn any(version: i16) -> BoxedStrategy<Self> {
        let count = if version < MANY_SINCE { 1..2 } else { 0..4 };
        (since(version >= 1, any::<i8>(), 0), vec(text(), count))
            .prop_map(|(key_type, keys)| Self { key_type, keys })
            .boxed()
    }

    fn golden(version: i16, kind: Kind) -> Self {
        let keys = match kind {
            Kind::Least if version < MANY_SINCE => vec![String::new()],
            Kind::Least => Vec::new(),
            _ if version < MANY_SINCE => vec!["alpha".to_owned()],
            Kind::Full => vec!["alpha".to_owned(), "größe".to_owned()],
            Kind::Many => (0..200).map(|index| format!("group-{index}")).collect(),
        };
        Self { key_type: i8::from(version >= 1 && kind != Kind::Least), keys }
    }

    fn encode(&self, version: i16, client_id: Option<&str>) -> Vec<u8> {
        let mut out = Vec::new();
        let call = Call { version, correlation_id: CORRELATION, client_id };
        encode_request(&mut out, &call, self.key_type, self.keys.iter().map(|key| &**key));
        out
    }

    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError> {
        let request = FindCoordinatorRequest::decode(request_body(frame, API, version)?, version)?;
        Ok(Self { key_type: request.key_type, keys: request.keys.iter().map(str::to_owned).collect() })
    }
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Response {
    throttle_time_ms: i32,
    found: Vec<Found>,
}

#[derive(Clone, PartialEq, Debug)]
struct Found {
    key: String,
    node: i32,
    host: String,
    port: i32,
    error: ErrorCode,
    message: Option<String>,
}

impl Message for Response {
    const NAME: &'static str = "FindCoordinatorResponse";
    const API: &'static Api = API;

    fn any(version: i16) -> BoxedStrategy<Self> {
        let message = since(version >= 1, proptest::option::of(text()), None);
        let key = since(version >= MANY_SINCE, text(), String::new());
        let found = (key, any::<i32>(), text(), any::<i32>(), any_code(), message)
            .prop_map(|(key, node, host, port, error, message)| Found { key, node, host, port, error, message });
        let count = if version < MANY_SINCE { 1..2 } else { 0..4 };
        (since(version >= 1, any::<i32>(), 0), vec(found, count))
            .prop_map(|(throttle_time_ms, found)| Self { throttle_time_ms, found })
            .boxed()
    }

    fn golden(version: i16, kind: Kind) -> Self {
        let is_many = version >= MANY_SINCE;
        let (error, message) = (ErrorCode::CoordinatorNotAvailable, Some("not available".to_owned()));
        let found = |index: i32| Found {
            key: if is_many { format!("group-{index}") } else { String::new() },
            node: 7 + index,
            host: "host-7".to_owned(),
            port: 9092,
            error,
            message: message.clone().filter(|_| version >= 1),
        };
        let none =
            Found { key: String::new(), node: 0, host: String::new(), port: 0, error: ErrorCode::None, message: None };
        Self {
            throttle_time_ms: if version >= 1 && kind != Kind::Least { 250 } else { 0 },
            found: match kind {
                Kind::Least if is_many => Vec::new(),
                Kind::Least => vec![none],
                Kind::Many if is_many => (0..200).map(found).collect(),
                Kind::Full | Kind::Many => vec![found(0)],
            },
        }
    }

    fn encode(&self, version: i16, _client_id: Option<&str>) -> Vec<u8> {
        let mut out = Vec::new();
        let found = self.found.iter().map(|found| FoundCoordinator {
            key: &found.key,
            node: BrokerId(found.node),
            host: &found.host,
            port: found.port,
            error: found.error,
            message: found.message.as_deref(),
        });
        encode_response(&mut out, CORRELATION, version, self.throttle_time_ms, found);
        out
    }

    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError> {
        let response = FindCoordinatorResponse::decode(response_body(frame, API, version)?, version)?;
        let found = response.found().map(|found| Found {
            key: found.key.to_owned(),
            node: found.node.0,
            host: found.host.to_owned(),
            port: found.port,
            error: found.error,
            message: found.message.map(str::to_owned),
        });
        Ok(Self { throttle_time_ms: response.throttle_time_ms, found: found.collect() })
    }
}
