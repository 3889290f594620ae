//! Values to bytes.

use super::decode::STRING_BYTES_MAX;
use super::fault::{Fault, PathStep, Reason};
use super::reader::put_varint;
use super::{Field, Kind, Presence, Program};

/// Where the values of a message come from.
pub trait Source {
    type Value;

    fn get(&mut self, target: &Self::Value, structure: usize, slot: usize) -> Result<Self::Value, Reason>;
    fn is_default(&mut self, value: &Self::Value, structure: usize, slot: usize) -> Result<bool, Reason>;

    fn is_null(&self, value: &Self::Value) -> bool;
    fn boolean(&self, value: &Self::Value) -> Result<bool, Reason>;
    fn integer(&self, value: &Self::Value) -> Result<i64, Reason>;
    fn float(&self, value: &Self::Value) -> Result<f64, Reason>;
    fn bytes<'a>(&self, value: &'a Self::Value) -> Result<&'a [u8], Reason>;
    fn text<'a>(&self, value: &'a Self::Value) -> Result<&'a str, Reason>;

    /// The bytes of an array that was written before, its length in front, in the version of this message; none for one
    /// whose elements are to be walked.
    fn encoded<'a>(&self, _value: &'a Self::Value) -> Option<&'a [u8]> {
        None
    }
    fn length(&self, value: &Self::Value) -> Result<usize, Reason>;
    fn item(&self, value: &Self::Value, index: usize) -> Result<Self::Value, Reason>;
}

/// The bytes of a message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Encoded {
    pub bytes: Vec<u8>,
    /// Where the watched field of the message begins, when this version has it in its place.
    pub watched: Option<usize>,
}

impl Program {
    /// Writes one message, and says where the field in slot `watch` of it begins.
    pub fn encode<S: Source>(
        &self,
        message: &S::Value,
        watch: Option<usize>,
        source: &mut S,
    ) -> Result<Encoded, Fault> {
        let mut writer = Writer { program: self, source, out: Vec::with_capacity(128), watch, watched: None };
        writer.structure(self.root(), message)?;
        Ok(Encoded { bytes: writer.out, watched: writer.watched })
    }
}

struct Writer<'a, S> {
    program: &'a Program,
    source: &'a mut S,
    out: Vec<u8>,
    watch: Option<usize>,
    watched: Option<usize>,
}

impl<S: Source> Writer<'_, S> {
    fn fault(&self, reason: Reason) -> Fault {
        Fault::new(reason, self.out.len())
    }

    fn structure(&mut self, index: usize, target: &S::Value) -> Result<(), Fault> {
        let structure = &self.program.structs[index];
        for &(slot, may_drop) in &structure.absent {
            if !may_drop {
                self.refuse_unless_default(index, slot, target)
                    .map_err(|reason| self.fault(reason).within(PathStep::Field(index, slot)))?;
            }
        }
        for &(slot, field) in &structure.plain {
            if self.watch == Some(slot) && index == self.program.root() {
                self.watched = Some(self.out.len());
            }
            self.source
                .get(target, index, slot)
                .map_err(|reason| self.fault(reason))
                .and_then(|value| self.field(field, &value))
                .map_err(|fault| fault.within(PathStep::Field(index, slot)))?;
        }
        if structure.flexible { self.tags(index, target) } else { Ok(()) }
    }

    fn refuse_unless_default(&mut self, index: usize, slot: usize, target: &S::Value) -> Result<(), Reason> {
        let value = self.source.get(target, index, slot)?;
        if self.source.is_default(&value, index, slot)? { Ok(()) } else { Err(Reason::NotInVersion) }
    }

    /// The tag section: fields with their defaults are left out.
    fn tags(&mut self, index: usize, target: &S::Value) -> Result<(), Fault> {
        let tagged = &self.program.structs[index].tagged;
        let mut sent = Vec::new();
        for &(tag, slot, field) in tagged {
            let kept = self
                .source
                .get(target, index, slot)
                .and_then(|value| Ok((!self.source.is_default(&value, index, slot)?).then_some(value)));
            let kept = kept.map_err(|reason| self.fault(reason).within(PathStep::Field(index, slot)))?;
            if let Some(value) = kept {
                sent.push((tag, slot, field, value));
            }
        }
        put_varint(&mut self.out, sent.len() as u32);
        for (tag, slot, field, value) in sent {
            put_varint(&mut self.out, tag);
            let start = self.out.len();
            self.field(field, &value).map_err(|fault| fault.within(PathStep::Field(index, slot)))?;
            // The size comes before the bytes, and is known after them.
            let size = self.out.len() - start;
            put_varint(&mut self.out, size as u32);
            let prefix = self.out.len() - start - size;
            self.out[start..].rotate_right(prefix);
        }
        Ok(())
    }

    fn field(&mut self, field: Field, value: &S::Value) -> Result<(), Fault> {
        if !field.array {
            return self.value(field, field.nullable, value);
        }
        if self.source.is_null(value) {
            return self.null(field, field.nullable, 4);
        }
        if let Some(bytes) = self.source.encoded(value) {
            self.out.extend_from_slice(bytes);
            return Ok(());
        }
        let count = self.source.length(value).map_err(|reason| self.fault(reason))?;
        self.length(field, count, 4)?;
        for index in 0..count {
            self.source
                .item(value, index)
                .map_err(|reason| self.fault(reason))
                .and_then(|item| self.value(field, false, &item))
                .map_err(|fault| fault.within(PathStep::Item(index)))?;
        }
        Ok(())
    }

    fn null(&mut self, field: Field, nullable: bool, fixed: usize) -> Result<(), Fault> {
        if !nullable {
            return Err(self.fault(Reason::Null));
        }
        if field.compact {
            self.out.push(0);
        } else {
            self.out.extend_from_slice(&[0xff; 4][..fixed]);
        }
        Ok(())
    }

    fn length(&mut self, field: Field, length: usize, fixed: usize) -> Result<(), Fault> {
        let Ok(signed) = i32::try_from(length) else {
            return Err(self.fault(Reason::TooMany { count: length, limit: i32::MAX as usize }));
        };
        if field.compact {
            put_varint(&mut self.out, (signed as u32).saturating_add(1));
        } else {
            self.out.extend_from_slice(&signed.to_be_bytes()[4 - fixed..]);
        }
        Ok(())
    }

    fn value(&mut self, field: Field, nullable: bool, value: &S::Value) -> Result<(), Fault> {
        let written = match field.kind {
            Kind::Bool => self.source.boolean(value).map(|value| self.out.push(u8::from(value))),
            Kind::Int8 => self.integer::<1>(value, i64::from(i8::MIN), i64::from(i8::MAX)),
            Kind::Int16 => self.integer::<2>(value, i64::from(i16::MIN), i64::from(i16::MAX)),
            Kind::Int32 => self.integer::<4>(value, i64::from(i32::MIN), i64::from(i32::MAX)),
            Kind::Int64 => self.integer::<8>(value, i64::MIN, i64::MAX),
            Kind::Uint16 => self.integer::<2>(value, 0, i64::from(u16::MAX)),
            Kind::Uint32 => self.integer::<4>(value, 0, i64::from(u32::MAX)),
            Kind::Float64 => self.source.float(value).map(|value| self.out.extend_from_slice(&value.to_be_bytes())),
            Kind::Uuid => self.uuid(value),
            Kind::String | Kind::Name | Kind::Bytes | Kind::Records | Kind::Struct(_) => {
                return self.variable(field, nullable, value);
            }
        };
        written.map_err(|reason| self.fault(reason))
    }

    fn integer<const WIDTH: usize>(&mut self, value: &S::Value, low: i64, high: i64) -> Result<(), Reason> {
        let value = self.source.integer(value)?;
        if value < low || value > high {
            return Err(Reason::Range { low, high });
        }
        self.out.extend_from_slice(&value.to_be_bytes()[8 - WIDTH..]);
        Ok(())
    }

    fn uuid(&mut self, value: &S::Value) -> Result<(), Reason> {
        let bytes = self.source.bytes(value)?;
        if bytes.len() != 16 {
            return Err(Reason::WrongType { wanted: "a uuid of 16 bytes", found: format!("{} bytes", bytes.len()) });
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn variable(&mut self, field: Field, nullable: bool, value: &S::Value) -> Result<(), Fault> {
        let is_null = self.source.is_null(value);
        match field.kind {
            Kind::Struct(index) => {
                if nullable {
                    let null = if matches!(field.presence, Presence::Tagged(_)) { 0 } else { 0xff };
                    self.out.push(if is_null { null } else { 1 });
                } else if is_null {
                    return Err(self.fault(Reason::Null));
                }
                return if is_null { Ok(()) } else { self.structure(index, value) };
            }
            Kind::String | Kind::Name => {
                if is_null {
                    return self.null(field, nullable, 2);
                }
                let text = self.source.text(value).map_err(|reason| self.fault(reason))?;
                if text.len() > STRING_BYTES_MAX {
                    return Err(self.fault(Reason::LongString(text.len())));
                }
                self.length(field, text.len(), 2)?;
                self.out.extend_from_slice(text.as_bytes());
            }
            _ => {
                if is_null {
                    return self.null(field, nullable, 4);
                }
                let bytes = self.source.bytes(value).map_err(|reason| self.fault(reason))?;
                self.length(field, bytes.len(), 4)?;
                self.out.extend_from_slice(bytes);
            }
        }
        Ok(())
    }
}
