//! The codes in these tables are those that Kafka 4.4.0 answered to the same bytes, but where a comment says otherwise.

use super::*;
use crate::batch::build::{BatchBuilder, BatchOptions, write_record};
use crate::batch::header::Codec;
use crate::batch::records::Header;
use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use proptest::prelude::*;

const NOW: TimestampMs = TimestampMs(1_800_000_000_000);
const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

fn rules() -> ProduceRules {
    ProduceRules {
        max_message_bytes: 1_048_588,
        segment_bytes: 1 << 30,
        target: Target::Producer,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        compacted: false,
        decompressed_bytes_max: 100 << 20,
    }
}

fn stored_as(codec: Codec) -> ProduceRules {
    ProduceRules { target: Target::Codec { codec, level: None }, ..rules() }
}

fn parts(key: Option<&'static [u8]>, value: &'static [u8]) -> RecordParts<'static> {
    RecordParts { key, value: Some(value), headers: &[] }
}

fn record(offset_delta: i32, timestamp_delta: i64, parts: &RecordParts<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write_record(&mut out, offset_delta, timestamp_delta, parts);
    out
}

/// A good record at a place.
fn at(offset_delta: i32) -> Vec<u8> {
    record(offset_delta, 0, &parts(Some(b"k"), b"v"))
}

/// Another length before the bytes of a record; both must take one byte.
fn with_size(mut record: Vec<u8>, size: i32) -> Vec<u8> {
    let mut prefix = Vec::new();
    write_varint(&mut prefix, size);
    record.splice(..1, prefix);
    record
}

/// Other bytes in place of the header count, which ends a record without headers.
fn with_headers(mut record: Vec<u8>, headers: &[u8]) -> Vec<u8> {
    record.pop();
    record.extend(headers);
    let size = record.len() as i32 - 1;
    with_size(record, size)
}

fn header(count: i32) -> BatchHeader {
    BatchHeader {
        base_offset: Offset(0),
        batch_length: 0,
        leader_epoch: LeaderEpoch::NONE,
        checksum: 0,
        attributes: 0,
        last_offset_delta: count - 1,
        base_timestamp: NOW,
        max_timestamp: NOW,
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
        base_sequence: Sequence::NONE,
        record_count: count,
    }
}

/// The header, sealed, and the bytes behind it.
fn sealed(mut header: BatchHeader, body: &[u8]) -> Vec<u8> {
    let head = seal(&mut header, body).unwrap();
    [&head[..], body].concat()
}

fn plain(count: i32, records: &[Vec<u8>]) -> Vec<u8> {
    sealed(header(count), &records.concat())
}

fn packed(codec: Codec, count: i32, records: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::new();
    compress::compress(codec, None, &records.concat(), &mut body).unwrap();
    sealed(BatchHeader { attributes: codec as i16, ..header(count) }, &body)
}

fn verdict<'a>(batch: &'a [u8], version: i16, rules: &ProduceRules) -> Result<Checked<'a>, Rejected> {
    let header = parse_single(batch, version)?;
    check(batch, header, rules, NOW, &mut Scratch::default())
}

fn code(batch: &[u8]) -> ErrorCode {
    verdict(batch, 13, &rules()).map_or_else(|rejected| rejected.code(), |_| ErrorCode::None)
}

fn flipped(mut batch: Vec<u8>) -> Vec<u8> {
    *batch.last_mut().unwrap() ^= 1;
    batch
}

fn with_magic(mut batch: Vec<u8>, magic: u8) -> Vec<u8> {
    batch[16] = magic;
    batch
}

fn with_length(mut batch: Vec<u8>, length: i32) -> Vec<u8> {
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch
}

#[test]
fn one_batch_of_magic_2_and_nothing_that_looks_like_another() {
    use ErrorCode::{CorruptMessage, InvalidRecord, None, UnsupportedCompressionType};
    let good = plain(1, &[at(0)]);
    let zstd = packed(Codec::Zstd, 1, &[at(0)]);
    let then = |more: &[u8]| [&good[..], more].concat();
    for (name, batch, expected) in [
        ("good", good.clone(), None),
        ("empty", vec![], InvalidRecord),
        ("short", b"abc".to_vec(), InvalidRecord),
        ("cut", good[..good.len() - 1].to_vec(), InvalidRecord),
        ("two", then(&good), InvalidRecord),
        ("garbage behind", then(b"xyz"), None),
        ("half a batch behind", then(&good[..good.len() - 1]), None),
        ("another format behind", then(&with_magic(good.clone(), 3)), CorruptMessage),
        ("zeros behind", then(&[0; 30]), CorruptMessage),
        ("magic 0", with_magic(good.clone(), 0), InvalidRecord),
        ("magic 1", with_magic(good.clone(), 1), InvalidRecord),
        ("magic 3", with_magic(good.clone(), 3), CorruptMessage),
        ("magic -1", with_magic(good.clone(), 255), CorruptMessage),
        ("length -1", with_length(good.clone(), -1), CorruptMessage),
        ("length 13", with_length(good.clone(), 13), CorruptMessage),
        ("length 20", with_length(good.clone(), 20), CorruptMessage),
        ("length 48", with_length(good.clone(), 48), CorruptMessage),
        ("length 10000", with_length(good.clone(), 10_000), InvalidRecord),
    ] {
        assert_eq!(code(&batch), expected, "{name}");
    }
    let too_new = parse_single(&zstd, 6).unwrap_err();
    assert_eq!(too_new.code(), UnsupportedCompressionType);
    assert_eq!(too_new.message(&"t-0"), "Produce requests with version 6 are not allowed to use ZStandard compression");
    assert!(parse_single(&zstd, 7).is_ok());
    assert_eq!(parse_single(&with_magic(good, 3), 13).unwrap_err().message(&"t-0"), "Invalid magic found in record: 3");
}

#[test]
fn the_header_is_checked_in_kafkas_order() {
    use ErrorCode::{CorruptMessage, InvalidRecord, MessageTooLarge, None, UnknownServerError};
    let with = |change: fn(&mut BatchHeader)| {
        let mut header = header(1);
        change(&mut header);
        sealed(header, &at(0))
    };
    for (name, batch, expected) in [
        ("base offset", with(|header| header.base_offset = Offset(5)), InvalidRecord),
        ("checksum", flipped(plain(1, &[at(0)])), CorruptMessage),
        ("checksum, base offset", flipped(with(|header| header.base_offset = Offset(5))), InvalidRecord),
        ("codec", with(|header| header.attributes = 5), UnknownServerError),
        ("checksum, codec", flipped(with(|header| header.attributes = 5)), CorruptMessage),
        ("count 0", sealed(header(0), &[]), InvalidRecord),
        ("count -5", sealed(header(-5), &[]), InvalidRecord),
        ("count 2 for one offset", with(|header| header.record_count = 2), InvalidRecord),
        ("last offset before the first", with(|header| header.last_offset_delta = -2), InvalidRecord),
        ("last offset beyond", with(|header| header.last_offset_delta = i32::MAX), InvalidRecord),
        ("control", with(|header| header.attributes = CONTROL), InvalidRecord),
        ("no sequence", with(|header| header.producer_id = ProducerId(9)), InvalidRecord),
        ("unused attributes", with(|header| header.attributes = 0x1f80), None),
        ("delete horizon", with(|header| header.attributes = DELETE_HORIZON), None),
        ("time below -1", with(|header| header.base_timestamp = TimestampMs(-5)), None),
    ] {
        assert_eq!(code(&batch), expected, "{name}");
    }
    let small = ProduceRules { max_message_bytes: 70, ..rules() };
    let batch = plain(1, &[record(0, 0, &parts(Option::None, b"more than fits"))]);
    assert_eq!(verdict(&flipped(batch.clone()), 13, &small).unwrap_err().code(), MessageTooLarge);
    let exact = ProduceRules { max_message_bytes: batch.len(), segment_bytes: batch.len(), ..rules() };
    assert!(verdict(&batch, 13, &exact).is_ok());
    let segment = ProduceRules { segment_bytes: batch.len() - 1, ..rules() };
    assert_eq!(verdict(&batch, 13, &segment).unwrap_err().code(), ErrorCode::RecordListTooLarge);
    let rejected = verdict(&batch, 13, &small).unwrap_err();
    assert!(
        rejected.message(&"orders-3").contains("orders-3 is 82 bytes which exceeds the maximum configured value of 70")
    );
}

#[test]
fn malformed_records_are_refused() {
    use ErrorCode::{InvalidRecord, None};
    let cases = |count: i32, records: &[Vec<u8>]| [plain(count, records), packed(Codec::Gzip, count, records)];
    for (name, count, records, expected) in [
        ("good", 2, vec![at(0), at(1)], None),
        ("missing record", 3, vec![at(0), at(1)], InvalidRecord),
        ("record too many", 1, vec![at(0), at(1)], InvalidRecord),
        // Kafka takes these two when they are compressed.
        ("size too small", 1, vec![with_size(at(0), 5)], InvalidRecord),
        ("size too large", 1, vec![with_size(at(0), 50)], InvalidRecord),
        ("negative size", 1, vec![with_size(at(0), -2)], InvalidRecord),
        ("negative header count", 1, vec![with_headers(at(0), &[1])], InvalidRecord),
        ("headers that are not there", 1, vec![with_headers(at(0), &[18])], InvalidRecord),
        ("negative header key", 1, vec![with_headers(at(0), &[2, 1, 1])], InvalidRecord),
        // Kafka answers UNKNOWN_SERVER_ERROR when it is not compressed.
        ("endless size", 1, vec![vec![0xff; 7], at(0)], InvalidRecord),
    ] {
        for batch in cases(count, &records) {
            assert_eq!(code(&batch), expected, "{name}");
        }
    }
}

#[test]
fn what_does_not_decompress_is_refused() {
    use ErrorCode::{None, UnknownServerError};
    let gzip = {
        let mut out = Vec::new();
        compress::compress(Codec::Gzip, Option::None, &at(0), &mut out).unwrap();
        out
    };
    let of = |codec: Codec, body: &[u8]| sealed(BatchHeader { attributes: codec as i16, ..header(1) }, body);
    for (name, batch, expected) in [
        ("gzip garbage", of(Codec::Gzip, b"not gzip at all"), UnknownServerError),
        ("gzip empty", of(Codec::Gzip, b""), UnknownServerError),
        ("gzip cut", of(Codec::Gzip, &gzip[..gzip.len() - 12]), UnknownServerError),
        ("gzip trailer", of(Codec::Gzip, &flipped(gzip.clone())), UnknownServerError),
        ("gzip and garbage", of(Codec::Gzip, &[&gzip[..], &[b'x'; 40]].concat()), None),
        ("gzip and little garbage", of(Codec::Gzip, &[&gzip[..], b"xxx"].concat()), None),
        ("snappy garbage", of(Codec::Snappy, &at(0)), UnknownServerError),
        ("snappy empty", of(Codec::Snappy, b""), UnknownServerError),
        ("lz4 garbage", of(Codec::Lz4, &at(0)), UnknownServerError),
        ("zstd garbage", of(Codec::Zstd, &at(0)), UnknownServerError),
    ] {
        assert_eq!(code(&batch), expected, "{name}");
    }
}

#[test]
fn compacted_topics_ask_for_keys() {
    let rules = ProduceRules { compacted: true, ..rules() };
    let keyless = |delta| record(delta, 0, &parts(None, b"v"));
    let records = [keyless(0), at(1), keyless(2), keyless(3), keyless(4)];
    for codec in CODECS {
        let batch = packed(codec, 5, &records);
        let rejected = verdict(&batch, 13, &rules).unwrap_err();
        assert_eq!(rejected.code(), ErrorCode::InvalidRecord);
        assert_eq!(rejected.records.iter().map(|record| record.batch_index).collect::<Vec<_>>(), [0, 2, 3, 4]);
        let one = "Compacted topic cannot accept message without key in topic partition c-0";
        assert_eq!(rejected.records[0].refusal.message(&"c-0"), one);
        assert_eq!(
            rejected.message(&"c-0"),
            format!(
                "One or more records have been rejected due to 4 record errors in total, and only showing the first \
                 three errors at most: [RecordError(batchIndex=0, message='{one}'), RecordError(batchIndex=2, \
                 message='{one}'), RecordError(batchIndex=3, message='{one}')]"
            )
        );
    }
    // An empty key is a key.
    assert!(verdict(&plain(1, &[record(0, 0, &parts(Some(b""), b"v"))]), 13, &rules).is_ok());
    // One record of the wrong time makes it a matter of time.
    let batch = plain(2, &[keyless(0), record(1, 10_000_000_000, &parts(Some(b"k"), b"v"))]);
    let rejected = verdict(&batch, 13, &rules).unwrap_err();
    assert_eq!((rejected.code(), rejected.records.len()), (ErrorCode::InvalidTimestamp, 2));
    assert_eq!(rejected.message(&"c-0"), "One or more records have been rejected due to invalid timestamp");
}

#[test]
fn listed_record_errors_are_bounded() {
    let count = RECORD_REFUSALS_MAX as i32 + 5;
    let records: Vec<_> = (0..count).map(|delta| record(delta, 0, &parts(None, b""))).collect();
    let rules = ProduceRules { compacted: true, ..rules() };
    let batch = packed(Codec::Lz4, count, &records);
    let rejected = verdict(&batch, 13, &rules).unwrap_err();
    assert_eq!(rejected.records.len(), RECORD_REFUSALS_MAX);
    assert_eq!(rejected.refusal, Refusal::Records { count: count as usize });
}

#[test]
fn times_lie_within_what_the_topic_takes() {
    let rules = ProduceRules { timestamp_before_max_ms: 1_000, timestamp_after_max_ms: 500, ..rules() };
    let with = |delta| plain(1, &[record(0, delta, &parts(Some(b"k"), b"v"))]);
    for (delta, fine) in [(0, true), (500, true), (501, false), (-1_000, true), (-1_001, false), (i64::MIN + 1, false)]
    {
        assert_eq!(verdict(&with(delta), 13, &rules).is_ok(), fine, "{delta}");
    }
    let rejected = verdict(&with(501), 13, &rules).unwrap_err();
    assert_eq!(
        rejected.records[0].refusal.message(&"t-0"),
        "Timestamp 1800000000501 of message with offset 0 is out of range. The timestamp should be within \
         [1799999999000, 1800000000500]"
    );
    // No time at all is fine.
    assert!(verdict(&with(-1 - NOW.0), 13, &rules).is_ok());
    // With the broker's time the producer's is not looked at.
    let log_append_time = ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..rules };
    assert!(verdict(&with(501), 13, &log_append_time).is_ok());
}

#[test]
fn producers_do_not_set_the_time_of_append() {
    let with = |codec: Codec, max_timestamp| {
        let mut body = Vec::new();
        compress::compress(codec, None, &at(0), &mut body).unwrap();
        let attributes = codec as i16 | LOG_APPEND_TIME;
        sealed(BatchHeader { attributes, max_timestamp, ..header(1) }, &body)
    };
    // Kafka takes it for a fine time, on a topic where the producer's counts, and drops the attribute.
    let batch = with(Codec::None, NOW);
    let checked = verdict(&batch, 13, &rules()).unwrap();
    assert!(!checked.header.is_log_append_time());
    assert_eq!(checked.header.checksum, crc32c_of_parts(&[&checked.header.encode()[CHECKSUM_START..], &at(0)]));
    let message = |batch: &[u8], rules: &ProduceRules| {
        let rejected = verdict(batch, 13, rules).unwrap_err();
        assert_eq!(rejected.code(), ErrorCode::InvalidTimestamp);
        rejected.records[0].refusal.message(&"t-0")
    };
    assert_eq!(
        message(&with(Codec::None, TimestampMs::NONE), &rules()),
        "Invalid timestamp type in message DefaultRecord(offset=0, timestamp=-1, key=1 bytes, value=1 bytes). \
         Producer should not set timestamp type to LogAppendTime."
    );
    let log_append_time = ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
    assert_eq!(
        message(&with(Codec::Gzip, NOW), &log_append_time),
        "Invalid timestamp type in message PartialDefaultRecord(offset=0, timestamp=1800000000000, key=1 bytes, \
         value=1 bytes). Producer should not set timestamp type to LogAppendTime."
    );
}

#[test]
fn batches_pass_as_they_are_with_their_largest_time() {
    let times = [5, -20, 70, 70, 3];
    let records: Vec<_> =
        times.iter().zip(0..).map(|(time, delta)| record(delta, *time, &parts(Some(b"k"), b"v"))).collect();
    for codec in CODECS {
        let batch = packed(codec, 5, &records);
        let checked = verdict(&batch, 13, &rules()).unwrap();
        assert!(matches!(checked.records, Cow::Borrowed(_)));
        assert_eq!((checked.header.max_timestamp.0, checked.max_timestamp_delta), (NOW.0 + 70, 2));
        assert_eq!(checked.log_append_time(), TimestampMs::NONE);
        let whole = [&checked.header.encode()[..], &checked.records].concat();
        assert_eq!(crc32c(&whole[CHECKSUM_START..]), checked.header.checksum);
        // What was stored passes again, unchanged.
        assert_eq!(verdict(&whole, 13, &rules()).unwrap().header, checked.header);
        // Bytes behind the batch are cut off.
        let longer = [&batch[..], b"more"].concat();
        assert_eq!(verdict(&longer, 13, &rules()).unwrap(), checked);

        let log_append_time = ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
        let checked = verdict(&batch, 13, &log_append_time).unwrap();
        assert!(matches!(checked.records, Cow::Borrowed(_)));
        assert_eq!((checked.log_append_time(), checked.header.max_timestamp), (NOW, NOW));
        assert_eq!(checked.max_timestamp_delta, 4);
        let whole = [&checked.header.encode()[..], &checked.records].concat();
        assert_eq!(crc32c(&whole[CHECKSUM_START..]), checked.header.checksum);
    }
}

#[test]
fn attributes_that_mean_nothing_go_only_when_the_checksum_changes_anyway() {
    let attributes = 0x1f80 | DELETE_HORIZON;
    let right = sealed(BatchHeader { attributes, ..header(1) }, &at(0));
    assert_eq!(verdict(&right, 13, &rules()).unwrap().header.attributes, attributes);
    let wrong = sealed(BatchHeader { attributes, max_timestamp: TimestampMs(3), ..header(1) }, &at(0));
    assert_eq!(verdict(&wrong, 13, &rules()).unwrap().header.attributes, DELETE_HORIZON);
}

#[test]
fn offsets_out_of_order_pass_uncompressed_and_are_put_right_otherwise() {
    // As in Kafka, which does not look at them.
    let odd = [at(7), at(7), at(9)];
    let batch = plain(3, &odd);
    let checked = verdict(&batch, 13, &rules()).unwrap();
    assert!(matches!(checked.records, Cow::Borrowed(_)));
    // Kafka means to put these right too, and fails with UNKNOWN_SERVER_ERROR when the codec stays.
    for (from, rules) in [
        (Codec::None, stored_as(Codec::Zstd)),
        (Codec::Gzip, stored_as(Codec::None)),
        (Codec::Gzip, stored_as(Codec::Gzip)),
        (Codec::Lz4, rules()),
    ] {
        let batch = packed(from, 3, &odd);
        let checked = verdict(&batch, 13, &rules).unwrap();
        let mut scratch = Scratch::default();
        let records = scratch.decompress(checked.header.codec().unwrap(), &checked.records, 1_000).unwrap();
        assert_eq!(records, [at(0), at(1), at(2)].concat());
    }
}

#[test]
fn a_rebuilt_batch_may_grow_too_large() {
    let records = [record(0, 0, &parts(Some(b"k"), &[7; 5_000]))];
    let batch = packed(Codec::Gzip, 1, &records);
    let rules = ProduceRules { max_message_bytes: 1_000, ..rules() };
    assert!(verdict(&batch, 13, &rules).is_ok());
    let rules = ProduceRules { max_message_bytes: 1_000, ..stored_as(Codec::None) };
    assert_eq!(verdict(&batch, 13, &rules).unwrap_err().code(), ErrorCode::MessageTooLarge);
}

#[test]
fn records_larger_than_the_window_are_passed_through() {
    let value = vec![3; 3 << 20];
    let headers: Vec<Header<'_>> = vec![(b"h", Some(&value[..200_000])), (b"i", None)];
    let large =
        |delta| record(delta, 5, &RecordParts { key: Some(&value[..300_000]), value: Some(&value), headers: &headers });
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let mut scratch = Scratch::default();
        let mut run = |records: &[Vec<u8>], rules: &ProduceRules| {
            let batch = packed(codec, records.len() as i32, records);
            let header = parse_single(&batch, 13).unwrap();
            let outcome = check(&batch, header, rules, NOW, &mut scratch).map(|checked| checked.header.max_timestamp.0);
            (outcome, scratch.bytes())
        };
        let (outcome, held) = run(&[at(0), large(1), at(2)], &rules());
        assert_eq!(outcome, Ok(NOW.0 + 5));
        assert!(held < 4 << 20, "{codec:?} holds {held} bytes");
        let mut short = large(1);
        short.pop();
        assert_eq!(run(&[short], &rules()).0.unwrap_err().code(), ErrorCode::InvalidRecord);
        let narrow = ProduceRules { decompressed_bytes_max: 1 << 20, ..rules() };
        assert_eq!(run(&[large(0)], &narrow).0.unwrap_err().code(), ErrorCode::InvalidRecord);
        // As many bytes as its length says, but other fields.
        let mut count = large(0);
        let end = count.len() - 200_000 - 3 - 1 - 2 - 3;
        count.truncate(end);
        assert!(run(&[count], &rules()).0.is_err());
    }
}

type Plain = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

fn any_record() -> impl Strategy<Value = Plain> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..80);
    (
        -5_000_i64..5_000,
        prop::option::of(bytes()),
        prop::option::of(bytes()),
        prop::collection::vec((bytes(), prop::option::of(bytes())), 0..3),
    )
}

fn build(options: BatchOptions, records: &[Plain]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options);
    for (time, key, value, headers) in records {
        let headers: Vec<Header<'_>> = headers.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
        let parts = RecordParts { key: key.as_deref(), value: value.as_deref(), headers: &headers };
        builder.add(TimestampMs(NOW.0 + time), &parts);
    }
    builder.finish().unwrap()
}

fn unbuild(header: &BatchHeader, records: &[u8]) -> Vec<Plain> {
    let mut scratch = Scratch::default();
    let plain = scratch.decompress(header.codec().unwrap(), records, 1 << 20).unwrap();
    let owned = |bytes: &[u8]| bytes.to_vec();
    Records::new(header.record_count, plain)
        .map(|record| {
            let record = record.unwrap();
            let headers = record.headers.into_iter().map(|(key, value)| (owned(key), value.map(owned))).collect();
            let time = header.base_timestamp.0 + record.timestamp_delta - NOW.0;
            (time, record.key.map(owned), record.value.map(owned), headers)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn records_survive_whatever_they_are_stored_as(
        records in prop::collection::vec(any_record(), 1..40),
        log_append_time: bool,
        transactional: bool,
    ) {
        let timestamp_type = if log_append_time { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
        let mut scratch = Scratch::default();
        for from in CODECS {
            let options = BatchOptions { codec: from, transactional, producer_id: ProducerId(3),
                producer_epoch: ProducerEpoch(1), base_sequence: Sequence(8), ..BatchOptions::default() };
            let batch = build(options, &records);
            let sent = parse_single(&batch, 13).unwrap();
            for rules in CODECS.map(stored_as).into_iter().chain([rules()]) {
                let rules = ProduceRules { timestamp_type, ..rules };
                let checked = check(&batch, sent, &rules, NOW, &mut scratch).unwrap();
                prop_assert_eq!(unbuild(&checked.header, &checked.records), records.clone());
                let largest = records.iter().map(|(time, ..)| NOW.0 + time).max().unwrap();
                let expected = if log_append_time { NOW.0 } else { largest };
                prop_assert_eq!(checked.header.max_timestamp.0, expected);
                prop_assert_eq!(checked.header.is_log_append_time(), log_append_time);
                prop_assert_eq!(checked.header.is_transactional(), transactional);
                prop_assert_eq!(checked.header.base_sequence, Sequence(8));
                if !log_append_time {
                    let index = checked.max_timestamp_delta as usize;
                    prop_assert_eq!(NOW.0 + records[index].0, largest);
                    prop_assert!(records[..index].iter().all(|(time, ..)| NOW.0 + time < largest));
                }
                let whole = [&checked.header.encode()[..], &checked.records].concat();
                prop_assert_eq!(checked.header.size(), Some(whole.len()));
                prop_assert_eq!(crc32c(&whole[CHECKSUM_START..]), checked.header.checksum);
            }
        }
    }

    /// Whatever the bytes, there is an answer; and what passes can be read by a consumer.
    #[test]
    fn mutated_batches_are_answered(
        records in prop::collection::vec(any_record(), 1..6),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        rule in 0_usize..6,
        repair: bool,
    ) {
        let rules = CODECS.map(stored_as).into_iter().chain([rules()]).nth(rule).unwrap();
        let mut scratch = Scratch::default();
        for codec in CODECS {
            let mut batch = build(BatchOptions { codec, ..BatchOptions::default() }, &records);
            for (at, to) in &changes {
                let at = at.index(batch.len());
                batch[at] = *to;
            }
            if repair {
                let checksum = crc32c(&batch[CHECKSUM_START..]);
                batch[17..21].copy_from_slice(&checksum.to_be_bytes());
            }
            let Ok(header) = parse_single(&batch, 13) else { continue };
            let Ok(checked) = check(&batch, header, &rules, NOW, &mut scratch) else { continue };
            let mut reader = Scratch::default();
            let plain = reader.decompress(checked.header.codec().unwrap(), &checked.records, 1 << 20).unwrap();
            for record in Records::new(checked.header.record_count, plain) {
                prop_assert!(record.is_ok());
            }
        }
    }

    #[test]
    fn any_bytes_are_answered(mut bytes: Vec<u8>, magic: bool, length: bool) {
        if magic && bytes.len() > 16 {
            bytes[16] = 2;
        }
        if length && bytes.len() > LENGTH_PREFIX_BYTES {
            let length = (bytes.len() - LENGTH_PREFIX_BYTES) as i32;
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
        }
        if let Ok(header) = parse_single(&bytes, 13) {
            let _ = check(&bytes, header, &rules(), NOW, &mut Scratch::default());
        }
    }
}
