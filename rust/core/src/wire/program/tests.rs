//! The walk over plain values, and against bytes that lie.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::plain::{Plain, Value};
use super::*;
use crate::limits::{ARRAY_ELEMENTS_MAX, TAGGED_FIELDS_MAX};

fn field(kind: Kind, compact: bool, presence: Presence) -> Field {
    Field { kind, array: false, nullable: false, compact, presence }
}

fn array_of(kind: Kind, compact: bool) -> Field {
    Field { array: true, ..field(kind, compact, Presence::Plain) }
}

/// A message with one field of each kind that matters, an array of structs, two tagged fields, one that is absent.
fn sample(compact: bool) -> (Program, Plain) {
    let tagged = |tag| if compact { Presence::Tagged(tag) } else { Presence::AbsentIgnorable };
    let inner = vec![
        field(Kind::Int16, compact, Presence::Plain),
        Field { nullable: true, ..field(Kind::Name, compact, Presence::Plain) },
    ];
    let outer = vec![
        field(Kind::Bool, compact, Presence::Plain),
        array_of(Kind::Struct(0), compact),
        field(Kind::String, compact, tagged(7)),
        field(Kind::Int64, compact, Presence::Plain),
        Field { nullable: true, ..array_of(Kind::Int32, compact) },
        field(Kind::Bytes, compact, Presence::Plain),
        field(Kind::Int32, compact, tagged(2)),
        field(Kind::Int8, compact, Presence::Absent),
        Field { nullable: true, ..field(Kind::Struct(0), compact, Presence::Plain) },
    ];
    let defaults = vec![
        vec![Value::Int(0), Value::Null],
        vec![
            Value::Bool(false),
            Value::Array(Vec::new()),
            Value::Text("none".into()),
            Value::Int(-1),
            Value::Null,
            Value::Bytes(Vec::new()),
            Value::Int(5),
            Value::Int(3),
            Value::Null,
        ],
    ];
    (Program::new(&[(compact, inner), (compact, outer)]).unwrap(), Plain::new(defaults))
}

fn inner_value() -> impl Strategy<Value = Value> {
    (any::<i16>(), proptest::option::of("[a-zé]{0,200}")).prop_map(|(number, name)| {
        Value::Struct(vec![Value::Int(i64::from(number)), name.map_or(Value::Null, Value::Text)].into())
    })
}

prop_compose! {
    fn outer_value(compact: bool)(
        flag in any::<bool>(), items in prop::collection::vec(inner_value(), 0..5), text in "[a-z]{0,5}|none",
        number in any::<i64>(), numbers in proptest::option::of(prop::collection::vec(any::<i32>(), 0..200)),
        bytes in prop::collection::vec(any::<u8>(), 0..300), tagged in 3..7_i64, inner in proptest::option::of(inner_value()),
    ) -> Value {
        let numbers = numbers.map_or(Value::Null, |numbers| {
            Value::Array(numbers.into_iter().map(|number| Value::Int(i64::from(number))).collect())
        });
        Value::Struct(vec![
            Value::Bool(flag), Value::Array(items), Value::Text(if compact { text } else { "none".into() }),
            Value::Int(number), numbers, Value::Bytes(bytes), Value::Int(if compact { tagged } else { 5 }),
            Value::Int(3), inner.unwrap_or(Value::Null),
        ].into())
    }
}

fn outer() -> impl Strategy<Value = (bool, Value)> {
    any::<bool>().prop_flat_map(|compact| outer_value(compact).prop_map(move |value| (compact, value)))
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_every_prefix_is_refused((compact, value) in outer()) {
        let (program, mut plain) = sample(compact);
        let encoded = program.encode(&value, Some(3), &mut plain).unwrap();
        let mut reader = Reader::new(&encoded.bytes, 0);
        prop_assert_eq!(&program.decode(&mut reader, &mut plain).unwrap(), &value);
        prop_assert_eq!(reader.left(), 0);
        let Value::Struct(fields) = &value else { unreachable!() };
        let Value::Int(watched) = fields.borrow()[3] else { unreachable!() };
        prop_assert_eq!(&encoded.bytes[encoded.watched.unwrap()..][..8], &watched.to_be_bytes());
        for end in 0..encoded.bytes.len() {
            prop_assert!(program.decode(&mut Reader::new(&encoded.bytes[..end], 0), &mut plain).is_err());
        }
    }

    #[test]
    fn garbage_is_read_or_refused_and_never_asks_for_more_than_it_is(
        compact in any::<bool>(), bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let (program, mut plain) = sample(compact);
        let _ = program.decode(&mut Reader::new(&bytes, 0), &mut plain);
        prop_assert!(plain.elements <= bytes.len());
    }
}

fn refusal(program: &Program, bytes: &[u8], plain: &mut Plain) -> Fault {
    program.decode(&mut Reader::new(bytes, 0), plain).unwrap_err()
}

fn single(field: Field, flexible: bool) -> (Program, Plain) {
    (Program::new(&[(flexible, vec![field])]).unwrap(), Plain::new(vec![vec![Value::Null]]))
}

#[test]
fn lengths_that_lie_are_refused_before_anything_is_made() {
    let (program, mut plain) = single(array_of(Kind::Int32, false), false);
    let mut claim = |count: i32, bytes: usize| {
        let mut body = count.to_be_bytes().to_vec();
        body.resize(bytes, 0);
        refusal(&program, &body, &mut plain)
    };
    assert_eq!(claim(1_000_000, 50).reason, Reason::Impossible { count: 1_000_000, left: 46 });
    assert_eq!(claim(12, 50).reason, Reason::Impossible { count: 12, left: 46 });
    assert_eq!(claim(-7, 50).reason, Reason::Null);
    assert_eq!(claim(-1, 50).reason, Reason::Null);
    assert_eq!(
        claim(1_000_001, 4_000_100).reason,
        Reason::TooMany { count: ARRAY_ELEMENTS_MAX + 1, limit: ARRAY_ELEMENTS_MAX }
    );
    let fault = claim(1_000_000, 50);
    assert_eq!((fault.position, &fault.path[..]), (0, &[PathStep::Field(0, 0)][..]));
    assert_eq!(plain.elements, 0);
}

#[test]
fn compact_lengths_that_lie_are_refused() {
    let (program, mut plain) = single(field(Kind::Bytes, true, Presence::Plain), true);
    assert_eq!(refusal(&program, &[0xff, 0xff, 0xff, 0xff, 0x0f], &mut plain).reason, Reason::NegativeLength(-2));
    assert_eq!(refusal(&program, &[0xff, 0xff, 0xff, 0xff, 0x1f], &mut plain).reason, Reason::Varint);
    assert_eq!(refusal(&program, &[0x80, 0x80, 0x80, 0x80, 0x80, 0], &mut plain).reason, Reason::Varint);
    assert_eq!(refusal(&program, &[0x09, 1, 2], &mut plain).reason, Reason::Truncated { wanted: 8, left: 2 });
    let (program, mut plain) = single(field(Kind::String, true, Presence::Plain), true);
    let mut long = vec![0x81, 0x80, 0x02];
    long.resize(40_000, b'a');
    assert_eq!(refusal(&program, &long, &mut plain).reason, Reason::LongString(32_768));
}

#[test]
fn tags() {
    let (program, mut plain) = single(field(Kind::Int32, true, Presence::Tagged(1)), true);
    let read = |bytes: &[u8], plain: &mut Plain| program.decode(&mut Reader::new(bytes, 0), plain);
    let of = |value| Value::Struct(vec![value].into());
    assert_eq!(read(&[1, 1, 4, 0, 0, 0, 9], &mut plain).unwrap(), of(Value::Int(9)));
    assert_eq!(read(&[2, 1, 4, 0, 0, 0, 9, 5, 2, 1, 1], &mut plain).unwrap(), of(Value::Int(9)));
    assert_eq!(
        refusal(&program, &[1, 1, 5, 0, 0, 0, 9, 0], &mut plain).reason,
        Reason::TagSize { tag: 1, said: 5, used: 4 }
    );
    let mut many = vec![0x91, 0x4e];
    for _ in 0..=TAGGED_FIELDS_MAX {
        many.extend_from_slice(&[9, 0]);
    }
    assert_eq!(
        refusal(&program, &many, &mut plain).reason,
        Reason::TooMany { count: TAGGED_FIELDS_MAX + 1, limit: TAGGED_FIELDS_MAX }
    );
}

#[test]
fn a_null_struct_is_said_otherwise_behind_a_tag() {
    let of = |presence| {
        let empty = (true, Vec::new());
        let field = Field { nullable: true, ..field(Kind::Struct(0), true, presence) };
        let plain = Plain::new(vec![Vec::new(), vec![Value::Int(0)]]);
        (Program::new(&[empty, (true, vec![field])]).unwrap(), plain)
    };
    let message = |value| Value::Struct(vec![value].into());
    let some = Value::Struct(Vec::new().into());
    for (presence, value, bytes) in [
        (Presence::Plain, Value::Null, vec![0xff, 0]),
        (Presence::Plain, some.clone(), vec![1, 0, 0]),
        (Presence::Tagged(0), Value::Null, vec![1, 0, 1, 0]),
        (Presence::Tagged(0), some, vec![1, 0, 2, 1, 0]),
    ] {
        let (program, mut plain) = of(presence);
        let message = message(value);
        assert_eq!(program.encode(&message, None, &mut plain).unwrap().bytes, bytes);
        assert_eq!(program.decode(&mut Reader::new(&bytes, 0), &mut plain).unwrap(), message);
    }
}

#[test]
fn what_a_version_lacks_must_be_droppable() {
    let mut absent = field(Kind::Int32, false, Presence::Absent);
    for (presence, written) in [(Presence::Absent, false), (Presence::AbsentIgnorable, true)] {
        absent.presence = presence;
        let (program, mut plain) = single(absent, false);
        let message = |value| Value::Struct(vec![value].into());
        assert!(program.encode(&message(Value::Null), None, &mut plain).is_ok());
        assert_eq!(program.encode(&message(Value::Int(1)), None, &mut plain).is_ok(), written);
    }
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    for (kind, low, high) in [(Kind::Int8, -128, 127), (Kind::Uint16, 0, 65_535), (Kind::Uint32, 0, 0xffff_ffff)] {
        let (program, mut plain) = single(field(kind, false, Presence::Plain), false);
        let mut fits = |value| program.encode(&Value::Struct(vec![Value::Int(value)].into()), None, &mut plain).is_ok();
        assert_eq!([low - 1, low, high, high + 1].map(&mut fits), [false, true, true, false]);
    }
}

#[test]
fn programs_that_cannot_end_are_refused() {
    assert!(Program::new(&[]).is_err());
    assert!(Program::new(&[(true, vec![field(Kind::Struct(0), true, Presence::Plain)])]).is_err());
    assert!(Program::new(&[(false, vec![field(Kind::Int8, false, Presence::Tagged(0))])]).is_err());
    let twice = vec![field(Kind::Int8, true, Presence::Tagged(0)); 2];
    assert!(Program::new(&[(true, twice)]).is_err());
}
