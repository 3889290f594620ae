//! Slots of message objects and elements of tuples, filled and read without a look-up by name.
//!
//! A slotted class keeps each field behind a member descriptor. Calling the descriptor's own get and set functions
//! skips the search of the type's dictionary and the call of an `__init__`, which would be most of the time of a
//! decode. All functions are of the stable ABI.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::mem;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};
use pyo3::{PyTypeInfo, ffi};

type Get = unsafe extern "C" fn(*mut ffi::PyObject, *mut ffi::PyObject, *mut ffi::PyObject) -> *mut ffi::PyObject;
type Set = unsafe extern "C" fn(*mut ffi::PyObject, *mut ffi::PyObject, *mut ffi::PyObject) -> c_int;

/// The class of a message or struct, and its fields in the order of the declaration.
pub(super) struct Class {
    of: Py<PyType>,
    names: Vec<String>,
    descriptors: Vec<Py<PyAny>>,
    get: Get,
    set: Set,
}

impl Class {
    /// Refuses attributes that are not slots of this very class.
    pub(super) fn new(class: &Bound<'_, PyType>, names: Vec<String>) -> PyResult<Self> {
        let py = class.py();
        let member = py.import("types")?.getattr("MemberDescriptorType")?.cast_into::<PyType>()?;
        let mut descriptors = Vec::with_capacity(names.len());
        for name in &names {
            let descriptor = class.getattr(name.as_str())?;
            if !descriptor.get_type().is(&member) || !descriptor.getattr("__objclass__")?.is(class) {
                return Err(PyTypeError::new_err(format!("{name} of {class} is not a slot")));
            }
            descriptors.push(descriptor.unbind());
        }
        // SAFETY: `member` is a type; the slots, when there, have the signatures that the C API gives them.
        let (get, set) = unsafe {
            let members = member.as_type_ptr();
            (
                mem::transmute::<*mut std::ffi::c_void, Option<Get>>(ffi::PyType_GetSlot(
                    members,
                    ffi::Py_tp_descr_get,
                )),
                mem::transmute::<*mut std::ffi::c_void, Option<Set>>(ffi::PyType_GetSlot(
                    members,
                    ffi::Py_tp_descr_set,
                )),
            )
        };
        let (Some(get), Some(set)) = (get, set) else {
            return Err(PyTypeError::new_err("slots cannot be read or set"));
        };
        Ok(Self { of: class.clone().unbind(), names, descriptors, get, set })
    }

    pub(super) fn name(&self, slot: usize) -> &str {
        self.names.get(slot).map_or("?", String::as_str)
    }

    pub(super) fn slot(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    pub(super) fn class<'py>(&self, py: Python<'py>) -> &Bound<'py, PyType> {
        self.of.bind(py)
    }

    /// A new object with empty slots: the caller sets them all before anyone sees it.
    pub(super) fn allocate<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: the class is a heap type of fixed size made by `type()`, whose allocator this is; the result is
        // a new reference or null with an exception set.
        unsafe {
            let object = ffi::PyType_GenericAlloc(self.of.as_ptr().cast(), 0);
            Bound::from_owned_ptr_or_err(py, object)
        }
    }

    /// Sets one slot; refuses an object of another class.
    #[inline]
    pub(super) fn set(&self, object: &Bound<'_, PyAny>, slot: usize, value: &Bound<'_, PyAny>) -> PyResult<()> {
        // SAFETY: the function is that of the descriptor's type; it checks the object's class, and takes a
        // reference of its own to the value. All three are live for the call.
        let status = unsafe { (self.set)(self.descriptors[slot].as_ptr(), object.as_ptr(), value.as_ptr()) };
        if status == 0 { Ok(()) } else { Err(PyErr::fetch(object.py())) }
    }

    /// Reads one slot; refuses an object of another class.
    #[inline]
    pub(super) fn get<'py>(&self, object: &Bound<'py, PyAny>, slot: usize) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: as in `set`; the result is a new reference or null with an exception set.
        unsafe {
            let value = (self.get)(self.descriptors[slot].as_ptr(), object.as_ptr(), self.of.as_ptr());
            Bound::from_owned_ptr_or_err(object.py(), value)
        }
    }
}

/// A tuple whose elements come one after the other.
pub(super) struct TupleBuilder<'py>(Bound<'py, PyAny>);

impl<'py> TupleBuilder<'py> {
    pub(super) fn new(py: Python<'py>, length: usize) -> PyResult<Self> {
        // SAFETY: a length that came from a slice of memory fits; the result is a new reference or null.
        unsafe { Ok(Self(Bound::from_owned_ptr_or_err(py, ffi::PyTuple_New(length as ffi::Py_ssize_t))?)) }
    }

    #[inline]
    pub(super) fn set(&mut self, index: usize, value: Bound<'py, PyAny>) -> PyResult<()> {
        // SAFETY: nobody else has a reference to the tuple; the call checks the index and steals the value.
        let status = unsafe { ffi::PyTuple_SetItem(self.0.as_ptr(), index as ffi::Py_ssize_t, value.into_ptr()) };
        if status == 0 { Ok(()) } else { Err(PyErr::fetch(self.0.py())) }
    }

    /// The tuple; every element must have been set.
    pub(super) fn finish(self) -> Bound<'py, PyAny> {
        debug_assert!(PyTuple::is_exact_type_of(&self.0));
        self.0
    }
}
