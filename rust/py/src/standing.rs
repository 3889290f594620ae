//! The control plane's end of an answer that stands.

use std::sync::Arc;

use ottla_core::plane::clock::Instant;
use ottla_core::plane::standing::Standing as Shared;
use pyo3::prelude::*;

/// See `_core.pyi`.
#[pyclass(frozen, module = "ottla._core")]
pub(crate) struct Standing {
    shared: Arc<Shared>,
    zero_ms: i64,
}

impl Standing {
    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    fn shown(&self, instant: Instant) -> i64 {
        i64::try_from(instant.0).unwrap_or(i64::MAX).saturating_add(self.zero_ms)
    }
}

#[pymethods]
impl Standing {
    #[new]
    fn new(used_ms: i64, until_ms: i64, zero_ms: i64) -> Self {
        let instant = |ms: i64| Instant(u64::try_from(ms.saturating_sub(zero_ms)).unwrap_or(0));
        Self { shared: Shared::new(instant(used_ms), instant(until_ms)), zero_ms }
    }

    fn used_ms(&self) -> i64 {
        self.shown(self.shared.used())
    }

    fn withdraw(&self) -> i64 {
        self.shown(self.shared.withdraw())
    }
}

/// Adds the class of this file to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Standing>()
}
