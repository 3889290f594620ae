//! What the coordinator of groups holds by the million, kept where the interpreter of Python does not walk it.
//!
//! - [`names`]: strings that many entries share
//! - [`offset_record`]: committed offsets as records of `__consumer_offsets`
//! - [`offsets`]: committed offsets as state
//!
//! Nothing here decides: who may commit and what has expired is Python's to say.

pub mod names;
pub mod offset_record;
pub mod offsets;

/// `String.hashCode` of Java, by which Kafka says which partition of a coordinator's topic a name belongs to: over UTF-16
/// code units.
#[must_use]
pub fn java_string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::java_string_hash;

    #[test]
    fn it_is_what_java_says() {
        assert_eq!(java_string_hash(""), 0);
        assert_eq!(java_string_hash("orders"), -1_008_770_331);
        assert_eq!(java_string_hash("polygenelubricants"), i32::MIN);
        assert_eq!(java_string_hash("größe"), 98_762_257);
        assert_eq!(java_string_hash("😀"), 1_772_899);
    }
}
