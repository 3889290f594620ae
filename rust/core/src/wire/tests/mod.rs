//! What must hold of every message in every version, checked on random values and on bytes made by Kafka's own classes.
//!
//! Each message has an owned twin here that can be made at random, encoded, and decoded again. The bytes are in
//! `tests/golden/dataplane/messages.txt`; the program that made them lies beside, and has the same values as the twins.

mod api_versions;
mod epochs;
mod fetch;
mod find_coordinator;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_fetch;
mod produce;

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::*;

use super::common::{NodeEndpoint, TopicRef};
use super::cursor::{Array, Cursor, Element, Fault, WireError};
use super::header::{Api, RequestHeader, decode_response_header};
use super::writer::unknown_tags;
use crate::error::ErrorCode;
use crate::ids::{BrokerId, TopicId};

const GOLDEN: &str = include_str!("../../../../../tests/golden/dataplane/messages.txt");
const CORRELATION: i32 = 77;

const ID_A: TopicId = TopicId([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
const ID_B: TopicId = TopicId([17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32]);

/// Which of the golden values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Least,
    Full,
    Many,
}

/// The twin of a message.
trait Message: Clone + PartialEq + Debug + 'static {
    /// As the golden file calls it.
    const NAME: &'static str;
    const API: &'static Api;

    /// Any value that the version can carry.
    fn any(version: i16) -> BoxedStrategy<Self>;

    /// The value of the golden file.
    fn golden(version: i16, kind: Kind) -> Self;

    /// The frame with its length, and [`CORRELATION`].
    fn encode(&self, version: i16, client_id: Option<&str>) -> Vec<u8>;

    /// Back from the frame without its length.
    fn decode(frame: &[u8], version: i16) -> Result<Self, WireError>;
}

/// Checks the header of a request and gives the body.
fn request_body<'a>(frame: &'a [u8], api: &Api, version: i16) -> Result<Cursor<'a>, WireError> {
    let (header, body) = RequestHeader::decode(frame)?;
    assert_eq!((header.api.key, header.api_version, header.correlation_id), (api.key, version, CORRELATION));
    Ok(body)
}

/// Checks the header of an answer and gives the body.
fn response_body<'a>(frame: &'a [u8], api: &Api, version: i16) -> Result<Cursor<'a>, WireError> {
    let (correlation_id, body) = decode_response_header(frame, api, version)?;
    assert_eq!(correlation_id, CORRELATION);
    Ok(body)
}

/// A topic, by name or by id.
#[derive(Clone, PartialEq, Debug)]
enum Topic {
    Name(String),
    Id(TopicId),
}

impl Topic {
    fn any(by_id: bool) -> BoxedStrategy<Self> {
        if by_id { uuid().prop_map(Self::Id).boxed() } else { text().prop_map(Self::Name).boxed() }
    }

    fn golden(by_id: bool) -> [Self; 2] {
        if by_id { [Self::Id(ID_A), Self::Id(ID_B)] } else { [Self::Name("alpha".into()), Self::Name("beta".into())] }
    }

    fn borrow(&self) -> TopicRef<'_> {
        match self {
            Self::Name(name) => TopicRef::Name(name),
            Self::Id(id) => TopicRef::Id(*id),
        }
    }
}

impl From<TopicRef<'_>> for Topic {
    fn from(topic: TopicRef<'_>) -> Self {
        match topic {
            TopicRef::Name(name) => Self::Name(name.into()),
            TopicRef::Id(id) => Self::Id(id),
        }
    }
}

/// Where a broker is, owned.
type Endpoint = (i32, String, i32, Option<String>);

fn endpoints(wanted: bool) -> BoxedStrategy<Vec<Endpoint>> {
    since(wanted, vec((any::<i32>(), text(), any::<i32>(), nullable(text())), 0..3), Vec::new())
}

fn borrow_endpoints(endpoints: &[Endpoint]) -> Vec<NodeEndpoint<'_>> {
    endpoints
        .iter()
        .map(|(node, host, port, rack)| NodeEndpoint {
            node: BrokerId(*node),
            host,
            port: *port,
            rack: rack.as_deref(),
        })
        .collect()
}

fn own_endpoint(endpoint: NodeEndpoint<'_>) -> Endpoint {
    (endpoint.node.0, endpoint.host.into(), endpoint.port, endpoint.rack.map(Into::into))
}

fn text() -> BoxedStrategy<String> {
    let chars = vec(any::<char>(), 0..6).prop_map(|chars| chars.into_iter().collect());
    prop_oneof![8 => chars, 1 => Just(String::new()), 1 => Just("long".repeat(40))].boxed()
}

fn any_code() -> BoxedStrategy<ErrorCode> {
    (0i16..136).prop_map(|code| ErrorCode::from_code(code).unwrap_or(ErrorCode::None)).boxed()
}

fn uuid() -> BoxedStrategy<TopicId> {
    any::<[u8; 16]>().prop_map(TopicId).boxed()
}

fn nullable<T: Clone + Debug + 'static>(of: impl Strategy<Value = T> + 'static) -> BoxedStrategy<Option<T>> {
    proptest::option::of(of).boxed()
}

/// What the version carries, or the default of what it does not.
fn since<T: Clone + Debug + 'static>(
    carried: bool,
    value: impl Strategy<Value = T> + 'static,
    default: T,
) -> BoxedStrategy<T> {
    if carried { value.boxed() } else { Just(default).boxed() }
}

fn any_version<M: Message>() -> impl Strategy<Value = (i16, M)> {
    (M::API.version_min..=M::API.version_max).prop_flat_map(|version| (Just(version), M::any(version)))
}

fn from_hex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Frames without their length, of one message, from Kafka's own classes.
fn golden_frames(name: &str) -> impl Iterator<Item = (i16, Kind, Vec<u8>)> {
    GOLDEN.lines().filter_map(move |line| {
        let mut words = line.split(' ');
        if words.next()? != name {
            return None;
        }
        let version = words.next()?.parse().unwrap();
        let kind = match words.next()? {
            "least" => Kind::Least,
            "full" => Kind::Full,
            "many" => Kind::Many,
            other => panic!("unknown case {other}"),
        };
        Some((version, kind, from_hex(words.next()?)))
    })
}

fn agrees_with_kafka<M: Message>() {
    let mut seen = std::collections::BTreeSet::new();
    for (version, kind, frame) in golden_frames(M::NAME) {
        let expected = M::golden(version, kind);
        let client_id = if kind == Kind::Least { None } else { Some("golden") };
        assert_eq!(M::decode(&frame, version).as_ref(), Ok(&expected), "decoded from v{version} {kind:?}");
        let encoded = expected.encode(version, client_id);
        assert_eq!(encoded[..4], (frame.len() as u32).to_be_bytes(), "length of v{version} {kind:?}");
        assert_eq!(encoded[4..], frame, "encoded in v{version} {kind:?}");
        seen.insert(version);
    }
    assert!(seen.into_iter().eq(M::API.version_min..=M::API.version_max), "a version is missing");
}

fn comes_back<M: Message>(version: i16, message: &M, unknown: &[Vec<u8>]) -> Result<(), TestCaseError> {
    let frame = unknown_tags::with(unknown, || message.encode(version, Some("client")));
    prop_assert_eq!(&frame[..4], &(frame.len() as u32 - 4).to_be_bytes()[..]);
    prop_assert_eq!(&M::decode(&frame[4..], version)?, message);
    Ok(())
}

fn refuses_prefixes<M: Message>(version: i16, message: &M) -> Result<(), TestCaseError> {
    let frame = message.encode(version, Some("client"));
    for end in 4..frame.len() {
        let decoded = M::decode(&frame[4..end], version);
        prop_assert!(decoded.is_err(), "the first {} of {} bytes: {:?}", end - 4, frame.len() - 4, decoded);
    }
    Ok(())
}

/// A body that was tampered with is decoded or refused; what is decoded can be walked.
fn survives<M: Message>(version: i16, message: &M, changes: &[(prop::sample::Index, u8)]) {
    let mut frame = message.encode(version, Some("client"));
    // Behind the first eight bytes of the header: which message it is stays.
    for (place, value) in changes {
        let at = 12 + place.index(frame.len().saturating_sub(12).max(1));
        if let Some(byte) = frame.get_mut(at) {
            *byte = *value;
        }
    }
    if let Ok(decoded) = M::decode(&frame[4..], version) {
        assert!(!format!("{decoded:?}").is_empty());
    }
}

macro_rules! laws {
    ($($module:ident: $message:ty;)*) => {$(
        mod $module {
            use super::*;

            #[test]
            fn agrees_with_the_bytes_of_kafka() {
                agrees_with_kafka::<$message>();
            }

            proptest! {
                #[test]
                fn comes_back_whatever_tags_are_unknown(
                    (version, message) in any_version::<$message>(),
                    unknown in vec(vec(any::<u8>(), 0..200), 0..3),
                ) {
                    comes_back(version, &message, &unknown)?;
                }

                #[test]
                fn is_refused_when_it_ends_early((version, message) in any_version::<$message>()) {
                    refuses_prefixes(version, &message)?;
                }

                #[test]
                fn survives_tampering(
                    (version, message) in any_version::<$message>(),
                    changes in vec(any::<(prop::sample::Index, u8)>(), 1..6),
                ) {
                    survives(version, &message, &changes);
                }
            }
        }
    )*};
}

laws! {
    produce_request: produce::Request;
    produce_response: produce::Response;
    fetch_request: fetch::Request;
    fetch_response: fetch::Response;
    list_offsets_request: list_offsets::Request;
    list_offsets_response: list_offsets::Response;
    metadata_request: metadata::Request;
    metadata_response: metadata::Response;
    epoch_request: epochs::Request;
    epoch_response: epochs::Response;
    offset_commit_request: offset_commit::Request;
    offset_commit_response: offset_commit::Response;
    offset_fetch_request: offset_fetch::Request;
    offset_fetch_response: offset_fetch::Response;
    find_coordinator_request: find_coordinator::Request;
    find_coordinator_response: find_coordinator::Response;
    api_versions_request: api_versions::Request;
    api_versions_response: api_versions::Response;
}

/// Decodes `frame` as whatever request it claims to be, and walks it.
fn decode_any(frame: &[u8]) {
    let Ok((header, body)) = RequestHeader::decode(frame) else { return };
    let version = header.api_version;
    let walked = match header.api.key {
        0 => super::produce::ProduceRequest::decode(body, version).map(|request| format!("{request:?}")),
        1 => super::fetch::FetchRequest::decode(body, version).map(|request| format!("{request:?}")),
        2 => super::list_offsets::ListOffsetsRequest::decode(body, version).map(|request| format!("{request:?}")),
        3 => super::metadata::MetadataRequest::decode(body, version).map(|request| format!("{request:?}")),
        8 => super::offset_commit::OffsetCommitRequest::decode(body, version).map(|request| format!("{request:?}")),
        9 => super::offset_fetch::OffsetFetchRequest::decode(body, version).map(|request| format!("{request:?}")),
        10 => {
            super::find_coordinator::FindCoordinatorRequest::decode(body, version).map(|request| format!("{request:?}"))
        }
        18 => super::api_versions::ApiVersionsRequest::decode(body, version).map(|request| format!("{request:?}")),
        _ => super::offset_for_leader_epoch::OffsetForLeaderEpochRequest::decode(body, version)
            .map(|request| format!("{request:?}")),
    };
    assert!(walked.is_err() || walked.is_ok_and(|walked| !walked.is_empty()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]
    #[test]
    fn arbitrary_bytes_are_survived(
        key in prop::sample::select(vec![0i16, 1, 2, 3, 8, 9, 10, 18, 23]),
        version in 0i16..20,
        rest in vec(prop_oneof![Just(0u8), Just(1), Just(2), Just(255), any::<u8>()], 0..120),
    ) {
        let mut frame = key.to_be_bytes().to_vec();
        frame.extend(version.to_be_bytes());
        frame.extend([0, 0, 0, 0, 0xff, 0xff, 0]);
        frame.extend(rest);
        decode_any(&frame);
    }
}

/// How many elements of one byte are read from an array that claims `elements`, with `content` bytes behind its length.
fn claims(elements: u32, flexible: bool, content: usize) -> Result<usize, WireError> {
    #[derive(Debug)]
    struct Byte;
    impl Element<'_> for Byte {
        const BYTES_MIN: usize = 1;
        fn read(cursor: &mut Cursor<'_>, _version: i16) -> Result<Self, WireError> {
            cursor.i8().map(|_| Self)
        }
    }
    let mut bytes = Vec::new();
    let mut writer = super::writer::Writer::bare(&mut bytes, flexible);
    writer.length(Some(elements as usize));
    bytes.resize(bytes.len() + content, 0);
    Array::<Byte>::read(&mut Cursor::new(&bytes).flexible(flexible), 0).map(|array| array.iter().count())
}

#[test]
fn arrays_cannot_claim_more_than_there_is() {
    for flexible in [false, true] {
        let refused = |elements, content| claims(elements, flexible, content).map_err(|error| error.what);
        assert_eq!(refused(1_000_000, 50), Err(Fault::TooManyElements { elements: 1_000_000, most: 50 }));
        assert_eq!(refused(51, 50), Err(Fault::TooManyElements { elements: 51, most: 50 }));
        assert_eq!(refused(50, 50), Ok(50));
        let most = crate::limits::ARRAY_ELEMENTS_MAX;
        assert_eq!(refused(1_000_001, 2_000_000), Err(Fault::TooManyElements { elements: 1_000_001, most }));
        assert_eq!(refused(1_000_000, 1_000_000), Ok(1_000_000));
    }
}

#[test]
fn structs_cannot_claim_too_many_tags() {
    let tagged = |tags: usize| {
        let mut bytes = Vec::new();
        let mut writer = super::writer::Writer::bare(&mut bytes, true);
        writer.tag_count(tags as u32);
        for tag in 0..tags as u32 {
            writer.tag(tag, |_| ());
        }
        Cursor::new(&bytes).flexible(true).skip_tags().map_err(|error| error.what)
    };
    assert_eq!(tagged(10_000), Ok(()));
    assert_eq!(tagged(10_001), Err(Fault::TooManyTags { tags: 10_001 }));
}

#[test]
fn errors_tell_the_place_in_the_frame() {
    // Metadata v1 whose one topic has a name of 5 bytes, 3 of which are there.
    let frame = b"\0\x03\0\x01\0\0\0\x4d\xff\xff\0\0\0\x01\0\x05abc";
    let (header, body) = RequestHeader::decode(frame).unwrap();
    let error = super::metadata::MetadataRequest::decode(body, header.api_version).unwrap_err();
    assert_eq!(error.to_string(), "the message ends 2 bytes too early (at byte 16)");
}

#[test]
fn careless_encodings_are_refused_or_read_as_kafka_reads_them() {
    let uvarint = |bytes: &[u8]| Cursor::new(bytes).uvarint().map_err(|error| error.what);
    assert_eq!(uvarint(b"\xff\xff\xff\xff\x0f"), Ok(u32::MAX));
    assert_eq!(uvarint(b"\x80\x00"), Ok(0), "more bytes than needed");
    assert_eq!(uvarint(b"\xff\xff\xff\xff\x1f"), Err(Fault::VarintTooLong));
    assert_eq!(uvarint(b"\x80\x80\x80\x80\x80\x00"), Err(Fault::VarintTooLong));
    let varlong = |bytes: &[u8]| Cursor::new(bytes).varlong().map_err(|error| error.what);
    assert_eq!(varlong(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Ok(i64::MIN));
    assert_eq!(varlong(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), Err(Fault::VarintTooLong));
    assert_eq!(Cursor::new(b"\xff\xf0").nullable_string(), Ok(None), "any negative length is a null");
    assert_eq!(Cursor::new(b"\xff\xff").string().map_err(|error| error.what), Err(Fault::Null));
    assert_eq!(Cursor::new(b"\0\x02\xc3\x28").string().map_err(|error| error.what), Err(Fault::NotUtf8));
    let long = [b"\x81\x80\x02".to_vec(), vec![b'a'; 32768]].concat();
    let refused = Cursor::new(&long).flexible(true).string().map_err(|error| error.what);
    assert_eq!(refused, Err(Fault::StringTooLong { bytes: 32768 }));
}

#[test]
fn a_known_tag_must_have_the_size_that_it_declares() {
    let read = |bytes: &[u8]| {
        let mut seen = 0;
        let read = Cursor::new(bytes).flexible(true).tags(|tag, content| {
            if tag == 0 {
                seen = content.i32()?;
            }
            Ok(tag == 0)
        });
        read.map(|()| seen).map_err(|error| error.what)
    };
    assert_eq!(read(b"\x01\x00\x04\0\0\0\x07"), Ok(7));
    assert_eq!(read(b"\x02\x09\x01x\x00\x04\0\0\0\x07"), Ok(7));
    assert_eq!(read(b"\x01\x00\x05\0\0\0\x07\0"), Err(Fault::TagSize { tag: 0 }));
    assert_eq!(read(b"\x01\x00\x03\0\0\0\x07"), Err(Fault::Truncated { missing: 1 }));
}
