//! Bytes to values.

use super::fault::{Fault, PathStep, Reason};
use super::reader::Reader;
use super::{Field, Kind, Presence, Program};
use crate::limits::TAGGED_FIELDS_MAX;

/// The longest string, as in Kafka's generated readers.
pub(super) const STRING_BYTES_MAX: usize = i16::MAX as usize;

/// What becomes of the values that a walk meets.
pub trait Builder {
    type Value;
    /// An array under construction.
    type Array;

    /// A new struct, all of whose slots will be set.
    fn start(&mut self, structure: usize) -> Result<Self::Value, Reason>;
    fn set(&mut self, target: &Self::Value, structure: usize, slot: usize, value: Self::Value) -> Result<(), Reason>;
    /// Sets the field to its default: it is not in this version, or its tag was not sent.
    fn set_default(&mut self, target: &Self::Value, structure: usize, slot: usize) -> Result<(), Reason>;

    fn null(&mut self) -> Self::Value;
    fn boolean(&mut self, value: bool) -> Result<Self::Value, Reason>;
    fn integer(&mut self, value: i64) -> Result<Self::Value, Reason>;
    fn float(&mut self, value: f64) -> Result<Self::Value, Reason>;
    fn bytes(&mut self, value: &[u8]) -> Result<Self::Value, Reason>;
    /// Text that is UTF-8 when the peer is honest.
    fn text(&mut self, value: &[u8]) -> Result<Self::Value, Reason>;
    /// Text that will be met again.
    fn name(&mut self, value: &[u8]) -> Result<Self::Value, Reason>;

    fn array(&mut self, length: usize) -> Result<Self::Array, Reason>;
    /// Elements come in order; exactly `length` of them, or the array is dropped.
    fn push(&mut self, array: &mut Self::Array, index: usize, value: Self::Value) -> Result<(), Reason>;
    fn finish(&mut self, array: Self::Array) -> Self::Value;
}

impl Program {
    /// Reads one message. Bytes behind it are left for the caller to judge, as Kafka leaves them.
    pub fn decode<B: Builder>(&self, reader: &mut Reader<'_>, builder: &mut B) -> Result<B::Value, Fault> {
        self.structure(self.root(), reader, builder)
    }

    fn structure<B: Builder>(&self, index: usize, reader: &mut Reader<'_>, builder: &mut B) -> Result<B::Value, Fault> {
        let structure = &self.structs[index];
        let target = builder.start(index).map_err(|reason| reader.fault(reason))?;
        for &(slot, field) in &structure.plain {
            self.field(field, reader, builder)
                .and_then(|value| builder.set(&target, index, slot, value).map_err(|reason| reader.fault(reason)))
                .map_err(|fault| fault.within(PathStep::Field(index, slot)))?;
        }
        for &(slot, _) in &structure.absent {
            builder.set_default(&target, index, slot).map_err(|reason| reader.fault(reason))?;
        }
        for &(_, slot, _) in &structure.tagged {
            builder.set_default(&target, index, slot).map_err(|reason| reader.fault(reason))?;
        }
        if structure.flexible {
            self.tags(index, &target, reader, builder)?;
        }
        Ok(target)
    }

    fn tags<B: Builder>(
        &self,
        index: usize,
        target: &B::Value,
        reader: &mut Reader<'_>,
        builder: &mut B,
    ) -> Result<(), Fault> {
        let count = reader.varint()? as usize;
        if count > TAGGED_FIELDS_MAX {
            return Err(reader.fault(Reason::TooMany { count, limit: TAGGED_FIELDS_MAX }));
        }
        for _ in 0..count {
            let tag = reader.varint()?;
            let size = reader.varint()? as usize;
            let start = reader.position();
            let declared = &self.structs[index].tagged;
            let Ok(found) = declared.binary_search_by_key(&tag, |&(tag, ..)| tag) else {
                // From a newer peer: not ours to understand.
                reader.take(size)?;
                continue;
            };
            let (_, slot, field) = declared[found];
            self.field(field, reader, builder)
                .and_then(|value| {
                    let used = reader.position() - start;
                    if used != size {
                        return Err(Fault::new(Reason::TagSize { tag, said: size, used }, start));
                    }
                    builder.set(target, index, slot, value).map_err(|reason| reader.fault(reason))
                })
                .map_err(|fault| fault.within(PathStep::Field(index, slot)))?;
        }
        Ok(())
    }

    #[inline]
    fn field<B: Builder>(&self, field: Field, reader: &mut Reader<'_>, builder: &mut B) -> Result<B::Value, Fault> {
        if field.array {
            self.array(field, reader, builder)
        } else {
            self.value(field, field.nullable, reader, builder)
        }
    }

    fn array<B: Builder>(&self, field: Field, reader: &mut Reader<'_>, builder: &mut B) -> Result<B::Value, Fault> {
        let start = reader.position();
        let Some(count) = length::<4>(field, reader)? else {
            return null(field.nullable, start, builder);
        };
        reader.claim(count).map_err(|reason| Fault::new(reason, start))?;
        if count.saturating_mul(self.element_bytes_min(field)) > reader.left() {
            return Err(Fault::new(Reason::Impossible { count, left: reader.left() }, start));
        }
        let mut array = builder.array(count).map_err(|reason| reader.fault(reason))?;
        for index in 0..count {
            self.value(field, false, reader, builder)
                .and_then(|value| builder.push(&mut array, index, value).map_err(|reason| reader.fault(reason)))
                .map_err(|fault| fault.within(PathStep::Item(index)))?;
        }
        Ok(builder.finish(array))
    }

    #[inline]
    fn value<B: Builder>(
        &self,
        field: Field,
        nullable: bool,
        reader: &mut Reader<'_>,
        builder: &mut B,
    ) -> Result<B::Value, Fault> {
        let start = reader.position();
        let built = match field.kind {
            Kind::Bool => builder.boolean(reader.array::<1>()? != [0]),
            Kind::Int8 => builder.integer(i64::from(i8::from_be_bytes(reader.array()?))),
            Kind::Int16 => builder.integer(i64::from(i16::from_be_bytes(reader.array()?))),
            Kind::Int32 => builder.integer(i64::from(i32::from_be_bytes(reader.array()?))),
            Kind::Int64 => builder.integer(i64::from_be_bytes(reader.array()?)),
            Kind::Uint16 => builder.integer(i64::from(u16::from_be_bytes(reader.array()?))),
            Kind::Uint32 => builder.integer(i64::from(u32::from_be_bytes(reader.array()?))),
            Kind::Float64 => builder.float(f64::from_be_bytes(reader.array()?)),
            Kind::Uuid => builder.bytes(&reader.array::<16>()?),
            Kind::String | Kind::Name => {
                let Some(length) = length::<2>(field, reader)? else {
                    return null(nullable, start, builder);
                };
                if length > STRING_BYTES_MAX {
                    return Err(Fault::new(Reason::LongString(length), start));
                }
                let text = reader.take(length)?;
                if field.kind == Kind::Name { builder.name(text) } else { builder.text(text) }
            }
            Kind::Bytes | Kind::Records => {
                let Some(length) = length::<4>(field, reader)? else {
                    return null(nullable, start, builder);
                };
                builder.bytes(reader.take(length)?)
            }
            Kind::Struct(index) => {
                if nullable && says_null(field, reader)? {
                    return Ok(builder.null());
                }
                return self.structure(index, reader, builder);
            }
        };
        built.map_err(|reason| Fault::new(reason, start))
    }
}

/// A struct that may be null says so first: in its place by a byte below zero, as a tagged field by a varint that is
/// not above it. What else they say does not matter to Kafka.
fn says_null(field: Field, reader: &mut Reader<'_>) -> Result<bool, Fault> {
    if matches!(field.presence, Presence::Tagged(_)) {
        return Ok(reader.varint()? as i32 <= 0);
    }
    Ok(i8::from_be_bytes(reader.array()?) < 0)
}

fn null<B: Builder>(nullable: bool, start: usize, builder: &mut B) -> Result<B::Value, Fault> {
    if nullable { Ok(builder.null()) } else { Err(Fault::new(Reason::Null, start)) }
}

/// A length, `None` for null; of `FIXED` bytes when it is not compact.
#[inline]
fn length<const FIXED: usize>(field: Field, reader: &mut Reader<'_>) -> Result<Option<usize>, Fault> {
    let start = reader.position();
    if field.compact {
        let length = reader.varint()?;
        // Kafka takes lengths as signed.
        if length > i32::MAX as u32 {
            return Err(Fault::new(Reason::NegativeLength(i64::from(length as i32) - 1), start));
        }
        return Ok(length.checked_sub(1).map(|length| length as usize));
    }
    let length = if FIXED == 2 {
        i64::from(i16::from_be_bytes(reader.array()?))
    } else {
        i64::from(i32::from_be_bytes(reader.array()?))
    };
    // As in Kafka, any negative length is a null.
    Ok(usize::try_from(length).ok())
}
