//! Not a parser: a bug that is there to be found. The runner fails when it is not, for then the others find nothing either.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // Byte by byte, so that only who sees coverage gets through.
    let mut input = input.iter();
    if input.next() == Some(&b'O')
        && input.next() == Some(&b't')
        && input.next() == Some(&b't')
        && input.next() == Some(&b'l')
        && input.next() == Some(&b'a')
    {
        panic!("found");
    }
});
