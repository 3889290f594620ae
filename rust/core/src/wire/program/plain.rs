//! Messages as plain values: what a walk builds and reads where there is no Python, in tests and under a fuzzer.

use std::cell::RefCell;

use super::{Builder, Reason, Source};

/// A value of a message. A struct is shared while it is built.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Value>),
    Struct(RefCell<Vec<Value>>),
}

/// Builds and reads [`Value`]s.
#[derive(Debug)]
pub struct Plain {
    defaults: Vec<Vec<Value>>,
    /// How many elements of arrays were asked for so far.
    pub elements: usize,
}

impl Plain {
    /// For a program whose structs have these defaults, slot by slot.
    pub fn new(defaults: Vec<Vec<Value>>) -> Self {
        Self { defaults, elements: 0 }
    }

    fn default_of(&self, structure: usize, slot: usize) -> Result<&Value, Reason> {
        self.defaults.get(structure).and_then(|slots| slots.get(slot)).ok_or(Reason::Host)
    }
}

impl Builder for Plain {
    type Value = Value;
    type Array = Vec<Value>;

    fn start(&mut self, structure: usize) -> Result<Value, Reason> {
        let slots = self.defaults.get(structure).ok_or(Reason::Host)?.len();
        Ok(Value::Struct(vec![Value::Null; slots].into()))
    }
    fn set(&mut self, target: &Value, _: usize, slot: usize, value: Value) -> Result<(), Reason> {
        let Value::Struct(fields) = target else { return Err(Reason::Host) };
        *fields.borrow_mut().get_mut(slot).ok_or(Reason::Host)? = value;
        Ok(())
    }
    fn set_default(&mut self, target: &Value, structure: usize, slot: usize) -> Result<(), Reason> {
        let value = self.default_of(structure, slot)?.clone();
        self.set(target, structure, slot, value)
    }
    fn null(&mut self) -> Value {
        Value::Null
    }
    fn boolean(&mut self, value: bool) -> Result<Value, Reason> {
        Ok(Value::Bool(value))
    }
    fn integer(&mut self, value: i64) -> Result<Value, Reason> {
        Ok(Value::Int(value))
    }
    fn float(&mut self, value: f64) -> Result<Value, Reason> {
        Ok(Value::Float(value))
    }
    fn bytes(&mut self, value: &[u8]) -> Result<Value, Reason> {
        Ok(Value::Bytes(value.to_vec()))
    }
    fn text(&mut self, value: &[u8]) -> Result<Value, Reason> {
        Ok(Value::Text(String::from_utf8_lossy(value).into_owned()))
    }
    fn name(&mut self, value: &[u8]) -> Result<Value, Reason> {
        self.text(value)
    }
    fn array(&mut self, length: usize) -> Result<Vec<Value>, Reason> {
        self.elements += length;
        Ok(Vec::with_capacity(length))
    }
    fn push(&mut self, array: &mut Vec<Value>, index: usize, value: Value) -> Result<(), Reason> {
        if array.len() != index {
            return Err(Reason::Host);
        }
        array.push(value);
        Ok(())
    }
    fn finish(&mut self, array: Vec<Value>) -> Value {
        Value::Array(array)
    }
}

fn wrong(wanted: &'static str, found: &Value) -> Reason {
    Reason::WrongType { wanted, found: format!("{found:?}") }
}

impl Source for Plain {
    type Value = Value;

    fn get(&mut self, target: &Value, _: usize, slot: usize) -> Result<Value, Reason> {
        match target {
            Value::Struct(fields) => fields.borrow().get(slot).cloned().ok_or(Reason::Host),
            other => Err(wrong("a struct", other)),
        }
    }
    fn is_default(&mut self, value: &Value, structure: usize, slot: usize) -> Result<bool, Reason> {
        Ok(value == self.default_of(structure, slot)?)
    }
    fn is_null(&self, value: &Value) -> bool {
        *value == Value::Null
    }
    fn boolean(&self, value: &Value) -> Result<bool, Reason> {
        if let Value::Bool(value) = value { Ok(*value) } else { Err(wrong("a bool", value)) }
    }
    fn integer(&self, value: &Value) -> Result<i64, Reason> {
        if let Value::Int(value) = value { Ok(*value) } else { Err(wrong("a number", value)) }
    }
    fn float(&self, value: &Value) -> Result<f64, Reason> {
        if let Value::Float(value) = value { Ok(*value) } else { Err(wrong("a float", value)) }
    }
    fn bytes<'a>(&self, value: &'a Value) -> Result<&'a [u8], Reason> {
        if let Value::Bytes(value) = value { Ok(value) } else { Err(wrong("bytes", value)) }
    }
    fn text<'a>(&self, value: &'a Value) -> Result<&'a str, Reason> {
        if let Value::Text(value) = value { Ok(value) } else { Err(wrong("text", value)) }
    }
    fn length(&self, value: &Value) -> Result<usize, Reason> {
        if let Value::Array(items) = value { Ok(items.len()) } else { Err(wrong("an array", value)) }
    }
    fn item(&self, value: &Value, index: usize) -> Result<Value, Reason> {
        match value {
            Value::Array(items) => items.get(index).cloned().ok_or(Reason::Host),
            other => Err(wrong("an array", other)),
        }
    }
}
