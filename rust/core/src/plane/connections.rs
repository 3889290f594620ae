//! The connections that are open: how many by listener and by client address, which is idle the longest, and why those that
//! ended did.
//!
//! Kafka class `ConnectionQuotas`. Ours only counts: the control plane, which accepts, decides by the counts and hears of a
//! connection that goes when it waits for one to go.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::plane::link::Link;
use crate::plane::mailbox::ConnectionContext;

/// Reasons for closing that are kept until the control plane reads them; more are counted away.
const CLOSE_REASONS_MAX: usize = 256;

/// How many connections are open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Census {
    /// Of all.
    pub total: usize,
    /// Of those that came in on one listener.
    pub of_listener: usize,
    /// Of those of one client address.
    pub of_host: usize,
}

#[derive(Debug, Default)]
struct Open {
    links: HashMap<u64, Arc<Link>>,
    by_listener: HashMap<Arc<str>, usize>,
    by_host: HashMap<Arc<str>, usize>,
    /// Somebody wants to know when one goes.
    watched: bool,
}

/// The connections that are open, by number, and what became of those that are not.
#[derive(Debug, Default)]
pub struct Connections {
    open: Mutex<Open>,
    next: AtomicU64,
    log: Mutex<Vec<String>>,
}

impl Connections {
    /// A number for a new connection.
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Remembers an open connection.
    pub fn remember(&self, link: Arc<Link>) {
        let mut open = self.open.lock();
        let context = link.context.clone();
        if open.links.insert(context.id, link).is_none() {
            *open.by_listener.entry(context.listener.clone()).or_default() += 1;
            *open.by_host.entry(context.peer_host.clone()).or_default() += 1;
        }
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.lock().links.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many are open: all, on this listener, from this address.
    #[must_use]
    pub fn census(&self, listener: &str, host: &str) -> Census {
        let open = self.open.lock();
        let count = |by: &HashMap<Arc<str>, usize>, key: &str| by.get(key).copied().unwrap_or(0);
        Census {
            total: open.links.len(),
            of_listener: count(&open.by_listener, listener),
            of_host: count(&open.by_host, host),
        }
    }

    /// From now on [`Connections::forget`] says when a connection goes, once.
    pub fn watch(&self) {
        self.open.lock().watched = true;
    }

    /// A connection is gone. Whether somebody waits to hear of one that goes.
    pub fn forget(&self, id: u64) -> bool {
        let mut open = self.open.lock();
        let Some(link) = open.links.remove(&id) else { return false };
        discount(&mut open.by_listener, &link.context.listener);
        discount(&mut open.by_host, &link.context.peer_host);
        std::mem::take(&mut open.watched)
    }

    /// Notes why a connection was closed by us; an empty reason is the client's own leaving.
    pub fn closed(&self, context: &ConnectionContext, reason: &str) {
        if reason.is_empty() {
            return;
        }
        let mut log = self.log.lock();
        if log.len() < CLOSE_REASONS_MAX {
            log.push(format!("connection of {} on {} closed: {reason}", context.peer_host, context.listener));
        }
    }

    /// Takes the reasons noted so far.
    pub fn take_reasons(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock())
    }

    /// Ends a connection, if it is still open.
    pub fn kick(&self, id: u64) {
        let link = self.open.lock().links.get(&id).cloned();
        if let Some(link) = link {
            link.kick();
        }
    }

    /// Ends the connection that was idle for the longest time, of those that did not come in on `protected`. Whether there
    /// was one. Looks at all of them: for when a limit is reached, not for every request.
    pub fn evict(&self, protected: &str) -> bool {
        let open = self.open.lock();
        let others = open.links.values().filter(|link| &*link.context.listener != protected && !link.is_kicked());
        let idlest = others.min_by_key(|link| (link.last_active(), link.context.id)).cloned();
        drop(open);
        idlest.inspect(|link| link.kick()).is_some()
    }
}

/// One less; a key without connections is not kept.
fn discount(counts: &mut HashMap<Arc<str>, usize>, key: &Arc<str>) {
    if let Entry::Occupied(mut count) = counts.entry(key.clone()) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::clock::Instant;

    fn open(connections: &Connections, listener: &str, host: &str) -> Arc<Link> {
        let link = Link::new(ConnectionContext {
            id: connections.number(),
            listener: listener.into(),
            principal: "User:ANONYMOUS".into(),
            peer_host: host.into(),
            local_host: "10.0.0.9".into(),
            local_port: 9092,
        });
        connections.remember(link.clone());
        link
    }

    fn counts(connections: &Connections, listener: &str, host: &str) -> (usize, usize, usize) {
        let census = connections.census(listener, host);
        (census.total, census.of_listener, census.of_host)
    }

    #[test]
    fn what_comes_and_goes_is_counted() {
        let connections = Connections::default();
        let first = open(&connections, "A", "10.0.0.1");
        open(&connections, "A", "10.0.0.2");
        open(&connections, "B", "10.0.0.1");
        assert_eq!(counts(&connections, "A", "10.0.0.1"), (3, 2, 2));
        assert!(!connections.forget(first.context.id), "nobody waits");
        connections.watch();
        assert!(!connections.forget(first.context.id), "it is gone already");
        assert_eq!(counts(&connections, "A", "10.0.0.1"), (2, 1, 1));
        assert!(connections.forget(1));
        assert!(!connections.forget(2), "it was said once");
        assert_eq!(counts(&connections, "A", "10.0.0.1"), (0, 0, 0));
        let open = connections.open.lock();
        assert!(open.by_host.is_empty() && open.by_listener.is_empty(), "addresses that left are forgotten");
    }

    #[test]
    fn the_idlest_of_the_others_is_evicted() {
        let connections = Connections::default();
        let links = [("B", 5), ("A", 9), ("A", 7), ("A", 8)].map(|(listener, active)| {
            let link = open(&connections, listener, "10.0.0.1");
            link.used(Instant(active));
            link
        });
        let evicted = || {
            assert!(connections.evict("B"));
            links.iter().map(|link| link.is_kicked()).collect::<Vec<_>>()
        };
        assert_eq!(evicted(), [false, false, true, false]);
        assert_eq!(evicted(), [false, false, true, true], "one that is going is not counted on twice");
        assert_eq!(evicted(), [false, true, true, true]);
        assert!(!connections.evict("B"));
    }
}
