//! Programs over Python's objects: the interpreter of `ottla_core::wire::program`, bound to slotted classes.

mod objects;
mod slots;

use std::fmt::Write;

use ottla_core::wire::program::{Fault, Field, Kind, PathStep, Presence, Program as Steps, Reader, Reason};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};

use objects::Objects;
use slots::Class;

pyo3::create_exception!(
    ottla._core,
    WireError,
    PyValueError,
    "Bytes that are no message, or a message that has no bytes: which message and version, which field, where."
);

/// One field of a struct as Python lowers it: attribute, kind, flags, struct, tag, default.
type Row<'py> = (String, u8, u8, usize, u32, Bound<'py, PyAny>);

const ARRAY: u8 = 1;
const NULLABLE: u8 = 2;
const COMPACT: u8 = 4;
const TAGGED: u8 = 8;
const ABSENT: u8 = 16;
const IGNORABLE: u8 = 32;

/// An array of a message as bytes, its length in front, made elsewhere for the version that it is sent in.
#[pyclass(frozen, module = "ottla._core")]
pub(crate) struct Encoded(pub(crate) Vec<u8>);

#[pymethods]
impl Encoded {
    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0)
    }
}

/// A message in one version. Immutable; every method holds the interpreter lock, since it makes or reads objects.
#[pyclass(frozen, module = "ottla._core")]
struct Program {
    /// The message and its version, for errors.
    name: String,
    steps: Steps,
    classes: Vec<Class>,
    defaults: Vec<Vec<Py<PyAny>>>,
    /// The slot of the field whose place `encode_watched` tells.
    watch: Option<usize>,
    names: objects::Names,
}

#[pymethods]
impl Program {
    #[new]
    fn new(name: String, structs: Vec<(Bound<'_, PyType>, bool, Vec<Row<'_>>)>, watch: &str) -> PyResult<Self> {
        let (mut lowered, mut classes, mut defaults) = (Vec::new(), Vec::new(), Vec::new());
        for (class, flexible, rows) in structs {
            let fields = rows.iter().map(field_of).collect::<PyResult<Vec<_>>>()?;
            lowered.push((flexible, fields));
            let (names, values) = rows.into_iter().map(|row| (row.0, row.5.unbind())).unzip();
            classes.push(Class::new(&class, names)?);
            defaults.push(values);
        }
        let steps = Steps::new(&lowered).map_err(|malformed| PyValueError::new_err(malformed.0))?;
        let watch = classes.last().and_then(|class| class.slot(watch));
        Ok(Self { name, steps, classes, defaults, watch, names: objects::Names::default() })
    }

    /// Reads a message that begins at `offset`; bytes behind it are left alone.
    #[pyo3(signature = (data, offset=0))]
    fn decode<'py>(&self, data: &Bound<'py, PyBytes>, offset: usize) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.decode_prefix(data, offset)?.0)
    }

    /// As `decode`, and where the message ends.
    #[pyo3(signature = (data, offset=0))]
    fn decode_prefix<'py>(&self, data: &Bound<'py, PyBytes>, offset: usize) -> PyResult<(Bound<'py, PyAny>, usize)> {
        let mut objects = Objects::new(data.py(), &self.classes, &self.defaults, &self.names);
        let mut reader = Reader::new(data.as_bytes(), offset);
        match self.steps.decode(&mut reader, &mut objects) {
            Ok(message) => Ok((message, reader.position())),
            Err(fault) => Err(self.error("decode", "at", &fault, objects.into_cause())),
        }
    }

    fn encode<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(self.encode_watched(message)?.0)
    }

    /// The bytes, and where in them the watched field begins; `None` when this version has it not.
    fn encode_watched<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyBytes>, Option<usize>)> {
        let py = message.py();
        let mut objects = Objects::new(py, &self.classes, &self.defaults, &self.names);
        match self.steps.encode(message, self.watch, &mut objects) {
            Ok(encoded) => Ok((PyBytes::new(py, &encoded.bytes), encoded.watched)),
            Err(fault) => Err(self.error("encode", "before", &fault, objects.into_cause())),
        }
    }

    fn __repr__(&self) -> String {
        format!("<Program {}>", self.name)
    }
}

impl Program {
    /// One sentence: the message, the path of the field, what is wrong, the byte.
    #[cold]
    fn error(&self, verb: &str, place: &str, fault: &Fault, cause: Option<PyErr>) -> PyErr {
        let mut path = String::new();
        for step in fault.path.iter().rev() {
            match *step {
                PathStep::Field(structure, slot) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(self.classes[structure].name(slot));
                }
                PathStep::Item(index) => {
                    let _ = write!(path, "[{index}]");
                }
            }
        }
        if !path.is_empty() {
            path.push_str(": ");
        }
        let why = match (&fault.reason, cause) {
            (Reason::Host, Some(cause)) => cause.to_string(),
            (reason, _) => reason.to_string(),
        };
        WireError::new_err(format!("cannot {verb} {}: {path}{why} ({place} byte {})", self.name, fault.position))
    }
}

fn field_of(row: &Row<'_>) -> PyResult<Field> {
    let &(ref name, kind, flags, structure, tag, _) = row;
    let is = |flag| flags & flag != 0;
    let kind = Kind::from_code(kind, structure)
        .ok_or_else(|| PyValueError::new_err(format!("{name} is of the unknown kind {kind}")))?;
    let presence = match (is(ABSENT), is(TAGGED)) {
        (true, _) if is(IGNORABLE) => Presence::AbsentIgnorable,
        (true, _) => Presence::Absent,
        (false, true) => Presence::Tagged(tag),
        (false, false) => Presence::Plain,
    };
    Ok(Field { kind, array: is(ARRAY), nullable: is(NULLABLE), compact: is(COMPACT), presence })
}

/// Adds the codec to the extension module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("WireError", module.py().get_type::<WireError>())?;
    module.add_class::<Encoded>()?;
    module.add_class::<Program>()
}
