//! Tells clients that asked the wrong broker where the leaders are (KIP-951).

use crate::plane::mailbox::ConnectionContext;
use crate::plane::metadata::endpoint;
use crate::plane::view::{BrokerView, View};
use crate::wire::{LeaderIdAndEpoch, NodeEndpoint};

/// The brokers that an answer names as leaders.
#[derive(Debug)]
pub struct Leaders<'a> {
    brokers: Vec<&'a BrokerView>,
    context: &'a ConnectionContext,
}

impl<'a> Leaders<'a> {
    /// Collects the brokers of `named`, each once. Costs nothing when none is.
    pub fn of(view: &'a View, context: &'a ConnectionContext, named: impl Iterator<Item = LeaderIdAndEpoch>) -> Self {
        let mut brokers: Vec<&BrokerView> = Vec::new();
        for leader in named {
            let found = view.cluster.brokers.iter().find(|broker| broker.id == leader.leader);
            brokers.extend(found.filter(|broker| brokers.iter().all(|known| known.id != broker.id)));
        }
        Self { brokers, context }
    }

    /// Where they are reached by the listener that the request came by.
    #[must_use]
    pub fn endpoints(&self) -> Vec<NodeEndpoint<'_>> {
        self.brokers.iter().filter_map(|broker| endpoint(broker, self.context)).collect()
    }
}
