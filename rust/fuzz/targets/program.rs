//! The interpreter of declarations, on a program with every shape of field. The first byte chooses flexible or not. What
//! is read can be written, and reads the same; nothing is made of an array that the input cannot hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_core::wire::program::plain::{Plain, Value};
use ottla_core::wire::program::{Field, Kind, Presence, Program, Reader};

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let (program, mut plain) = program(choice & 1 != 0);
    let Ok(message) = program.decode(&mut Reader::new(bytes, 0), &mut plain) else {
        assert!(plain.elements <= bytes.len());
        return;
    };
    assert!(plain.elements <= bytes.len());
    let written = program.encode(&message, None, &mut plain).expect("what was read can be written");
    let again = program.decode(&mut Reader::new(&written.bytes, 0), &mut plain).expect("what was written can be read");
    assert_eq!(again, message);
});

fn program(flexible: bool) -> (Program, Plain) {
    let field = |kind, presence| Field { kind, array: false, nullable: false, compact: flexible, presence };
    let plain = |kind| field(kind, Presence::Plain);
    let array = |kind| Field { array: true, ..plain(kind) };
    let nullable = |field| Field { nullable: true, ..field };
    let tagged = |field, tag| Field {
        presence: if flexible { Presence::Tagged(tag) } else { Presence::AbsentIgnorable },
        ..field
    };
    let inner = vec![plain(Kind::Int16), nullable(plain(Kind::Name)), tagged(plain(Kind::Bool), 0)];
    let outer = vec![
        plain(Kind::Bool),
        plain(Kind::Int8),
        plain(Kind::Uint16),
        plain(Kind::Uint32),
        plain(Kind::Uuid),
        array(Kind::Struct(0)),
        nullable(array(Kind::Int32)),
        array(Kind::String),
        plain(Kind::Bytes),
        nullable(plain(Kind::Records)),
        nullable(plain(Kind::Struct(0))),
        tagged(plain(Kind::Int64), 3),
        tagged(nullable(plain(Kind::Struct(0))), 1),
        tagged(nullable(array(Kind::Int8)), 7),
    ];
    let (zero, empty) = (Value::Int(0), Value::Array(Vec::new()));
    let defaults = vec![
        vec![zero.clone(), Value::Null, Value::Bool(false)],
        vec![
            Value::Bool(false),
            zero.clone(),
            zero.clone(),
            zero.clone(),
            Value::Bytes(vec![0; 16]),
            empty.clone(),
            empty.clone(),
            empty.clone(),
            Value::Bytes(Vec::new()),
            Value::Null,
            Value::Null,
            zero,
            Value::Null,
            empty,
        ],
    ];
    let program = Program::new(&[(flexible, inner), (flexible, outer)]).expect("a program");
    (program, Plain::new(defaults))
}
