//! `ottla._core`: converts, releases the GIL, delegates. Nothing here decides anything about Kafka.

mod codec;
mod coordinator_log;
mod engine;
mod offsets;
mod recode;
mod records;
mod standing;
mod transactions;

use pyo3::prelude::*;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    codec::register(module)?;
    recode::register(module)?;
    records::register(module)?;
    offsets::register(module)?;
    standing::register(module)?;
    engine::register(module)
}
