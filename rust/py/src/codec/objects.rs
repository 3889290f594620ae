//! Python's objects as what a walk builds and reads.

use ottla_core::wire::program::{Builder, Reason, Source};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyList, PyString, PyTuple};

use super::Encoded;
use super::slots::{Class, TupleBuilder};

/// How many names a program remembers. A cluster's hot topics are fewer; a flood of invented names only evicts.
const NAMES_KEPT: usize = 512;
/// The longest name remembered: topic names have at most 249 characters.
const NAME_BYTES_MAX: usize = 249;

/// Names met before, so that the same topic in a thousand messages is one string. Bounded, unlike the
/// interpreter's own table of interned strings, which outside input must not fill.
#[derive(Default)]
pub(super) struct Names(Mutex<Vec<Option<Name>>>);

struct Name {
    bytes: Box<[u8]>,
    text: Py<PyString>,
}

impl Names {
    fn get<'py>(&self, py: Python<'py>, bytes: &[u8]) -> Option<Bound<'py, PyString>> {
        let kept = self.0.lock();
        let name = kept.get(place(bytes))?.as_ref()?;
        (*name.bytes == *bytes).then(|| name.text.bind(py).clone())
    }

    fn keep(&self, bytes: &[u8], text: &Bound<'_, PyString>) {
        let name = Name { bytes: bytes.into(), text: text.clone().unbind() };
        let evicted = {
            let mut kept = self.0.lock();
            if kept.is_empty() {
                kept.resize_with(NAMES_KEPT, || None);
            }
            kept[place(bytes)].replace(name)
        };
        drop(evicted);
    }
}

/// FNV-1a, folded: names are short, and a collision costs one string.
fn place(bytes: &[u8]) -> usize {
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash ^ (hash >> 32)) as usize % NAMES_KEPT
}

/// The classes and defaults of a program, for the length of one walk.
pub(super) struct Objects<'a, 'py> {
    py: Python<'py>,
    classes: &'a [Class],
    defaults: &'a [Vec<Py<PyAny>>],
    names: &'a Names,
    /// Why Python refused, when the walk says `Reason::Host`.
    cause: Option<PyErr>,
}

impl<'a, 'py> Objects<'a, 'py> {
    pub(super) fn new(py: Python<'py>, classes: &'a [Class], defaults: &'a [Vec<Py<PyAny>>], names: &'a Names) -> Self {
        Self { py, classes, defaults, names, cause: None }
    }

    pub(super) fn into_cause(self) -> Option<PyErr> {
        self.cause
    }

    #[cold]
    fn refused(&mut self, error: PyErr) -> Reason {
        self.cause = Some(error);
        Reason::Host
    }

    fn text_of(&mut self, value: &[u8]) -> Bound<'py, PyString> {
        match std::str::from_utf8(value) {
            Ok(text) => PyString::new(self.py, text),
            Err(_) => PyString::new(self.py, &String::from_utf8_lossy(value)),
        }
    }
}

impl<'py> Builder for Objects<'_, 'py> {
    type Value = Bound<'py, PyAny>;
    type Array = TupleBuilder<'py>;

    fn start(&mut self, structure: usize) -> Result<Self::Value, Reason> {
        self.classes[structure].allocate(self.py).map_err(|error| self.refused(error))
    }

    #[inline]
    fn set(&mut self, target: &Self::Value, structure: usize, slot: usize, value: Self::Value) -> Result<(), Reason> {
        self.classes[structure].set(target, slot, &value).map_err(|error| self.refused(error))
    }

    #[inline]
    fn set_default(&mut self, target: &Self::Value, structure: usize, slot: usize) -> Result<(), Reason> {
        let default = self.defaults[structure][slot].bind(self.py);
        self.classes[structure].set(target, slot, default).map_err(|error| self.refused(error))
    }

    fn null(&mut self) -> Self::Value {
        self.py.None().into_bound(self.py)
    }

    fn boolean(&mut self, value: bool) -> Result<Self::Value, Reason> {
        Ok(PyBool::new(self.py, value).to_owned().into_any())
    }

    #[inline]
    fn integer(&mut self, value: i64) -> Result<Self::Value, Reason> {
        let Ok(number) = value.into_pyobject(self.py);
        Ok(number.into_any())
    }

    fn float(&mut self, value: f64) -> Result<Self::Value, Reason> {
        Ok(PyFloat::new(self.py, value).into_any())
    }

    fn bytes(&mut self, value: &[u8]) -> Result<Self::Value, Reason> {
        Ok(PyBytes::new(self.py, value).into_any())
    }

    fn text(&mut self, value: &[u8]) -> Result<Self::Value, Reason> {
        Ok(self.text_of(value).into_any())
    }

    fn name(&mut self, value: &[u8]) -> Result<Self::Value, Reason> {
        if let Some(known) = self.names.get(self.py, value) {
            return Ok(known.into_any());
        }
        let text = self.text_of(value);
        if value.len() <= NAME_BYTES_MAX {
            self.names.keep(value, &text);
        }
        Ok(text.into_any())
    }

    fn array(&mut self, length: usize) -> Result<Self::Array, Reason> {
        TupleBuilder::new(self.py, length).map_err(|error| self.refused(error))
    }

    #[inline]
    fn push(&mut self, array: &mut Self::Array, index: usize, value: Self::Value) -> Result<(), Reason> {
        array.set(index, value).map_err(|error| self.refused(error))
    }

    fn finish(&mut self, array: Self::Array) -> Self::Value {
        array.finish()
    }
}

#[cold]
fn wrong(wanted: &'static str, found: &Bound<'_, PyAny>) -> Reason {
    let found = found.get_type().name().map_or_else(|_| "an object".into(), |name| name.to_string());
    Reason::WrongType { wanted, found }
}

impl<'py> Source for Objects<'_, 'py> {
    type Value = Bound<'py, PyAny>;

    #[inline]
    fn get(&mut self, target: &Self::Value, structure: usize, slot: usize) -> Result<Self::Value, Reason> {
        let class = &self.classes[structure];
        class.get(target, slot).map_err(|error| {
            if target.get_type().is(class.class(self.py)) { self.refused(error) } else { wrong("a struct", target) }
        })
    }

    fn is_default(&mut self, value: &Self::Value, structure: usize, slot: usize) -> Result<bool, Reason> {
        let default = self.defaults[structure][slot].bind(self.py);
        if value.is(default) {
            return Ok(true);
        }
        if let (Ok(items), Ok(_)) = (value.cast::<PyList>(), default.cast::<PyTuple>()) {
            return Ok(items.is_empty());
        }
        value.eq(default).map_err(|error| self.refused(error))
    }

    fn is_null(&self, value: &Self::Value) -> bool {
        value.is_none()
    }

    fn boolean(&self, value: &Self::Value) -> Result<bool, Reason> {
        value.cast::<PyBool>().map(PyBoolMethods::is_true).map_err(|_| wrong("a bool", value))
    }

    #[inline]
    fn integer(&self, value: &Self::Value) -> Result<i64, Reason> {
        value.extract().map_err(|_| wrong("a number of at most 64 bits", value))
    }

    fn float(&self, value: &Self::Value) -> Result<f64, Reason> {
        value.extract().map_err(|_| wrong("a float", value))
    }

    fn bytes<'a>(&self, value: &'a Self::Value) -> Result<&'a [u8], Reason> {
        value.cast::<PyBytes>().map(PyBytesMethods::as_bytes).map_err(|_| wrong("bytes", value))
    }

    fn text<'a>(&self, value: &'a Self::Value) -> Result<&'a str, Reason> {
        let text = value.cast::<PyString>().map_err(|_| wrong("a string", value))?;
        text.to_str().map_err(|_| wrong("a string that UTF-8 can say", value))
    }

    #[inline]
    fn encoded<'a>(&self, value: &'a Self::Value) -> Option<&'a [u8]> {
        value.cast::<Encoded>().ok().map(|encoded| &*encoded.get().0)
    }

    fn length(&self, value: &Self::Value) -> Result<usize, Reason> {
        if let Ok(items) = value.cast::<PyTuple>() {
            return Ok(items.len());
        }
        value.cast::<PyList>().map(PyListMethods::len).map_err(|_| wrong("a tuple or a list", value))
    }

    #[inline]
    fn item(&self, value: &Self::Value, index: usize) -> Result<Self::Value, Reason> {
        let item = match value.cast::<PyTuple>() {
            Ok(items) => items.get_item(index),
            Err(_) => value.cast::<PyList>().map_err(|_| wrong("a tuple or a list", value))?.get_item(index),
        };
        item.map_err(|_| wrong("a list that stays as it is", value))
    }
}
