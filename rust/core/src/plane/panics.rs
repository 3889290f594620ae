//! What a panic said, for those who are told of it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::plane::mailbox::{Mailbox, Subject};

/// The message of a panic.
pub(super) fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it did not say why")
}

/// Does the work of a thread for which nobody waits. If it ends in a panic that is a fact: else it would show only in what
/// is no longer done. `thread` says whose it is.
pub(super) fn told(mailbox: &Mailbox, subject: Subject, thread: &str, work: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
        let text = text(&*panic);
        mailbox.fact(subject, format!("a panic in the thread of {thread} ({text}): restart the broker"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_panics_is_told_of() {
        let mailbox = Mailbox::new(Box::new(|| ()));
        told(&mailbox, Subject::MaintenanceFailed, "the maintenance", || ());
        assert_eq!(mailbox.drain(0).facts, []);
        told(&mailbox, Subject::MaintenanceFailed, "the maintenance", || panic!("planted"));
        told(&mailbox, Subject::MetadataLogFailed, "another", || std::panic::panic_any(7));
        let words = |thread, why| format!("a panic in the thread of {thread} ({why}): restart the broker");
        assert_eq!(
            mailbox.drain(0).facts,
            [
                (Subject::MetadataLogFailed, words("another", "it did not say why")),
                (Subject::MaintenanceFailed, words("the maintenance", "planted")),
            ]
        );
    }
}
