//! Strings that many entries share: each is kept once, and named by a number, for as long as somebody uses it.
//!
//! Invariants: a number names the same string from its first use to its last; what nobody uses takes no memory.

use std::collections::HashMap;
use std::sync::Arc;

use slab::Slab;

/// Names a string of a [`Names`]. Numbers are given anew once nobody uses them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NameId(u32);

impl NameId {
    /// Not behind any other.
    pub const FIRST: Self = Self(0);
    /// Not before any other.
    pub const LAST: Self = Self(u32::MAX);
}

#[derive(Debug)]
struct Used {
    name: Arc<str>,
    uses: usize,
}

/// The strings in use. Hashed under a secret: clients choose them.
#[derive(Debug, Default)]
pub struct Names {
    used: Slab<Used>,
    ids: HashMap<Arc<str>, NameId>,
}

impl Names {
    /// One more uses the string.
    pub fn hold(&mut self, name: &str) -> NameId {
        if let Some(&id) = self.ids.get(name) {
            self.hold_again(id);
            return id;
        }
        let name: Arc<str> = name.into();
        // Four thousand million names do not fit into memory.
        let id = NameId(self.used.insert(Used { name: name.clone(), uses: 1 }) as u32);
        self.ids.insert(name, id);
        id
    }

    /// One more uses what somebody uses already.
    pub fn hold_again(&mut self, id: NameId) {
        if let Some(used) = self.used.get_mut(id.0 as usize) {
            used.uses += 1;
        }
    }

    /// One less uses it.
    pub fn release(&mut self, id: NameId) {
        let at = id.0 as usize;
        let Some(used) = self.used.get_mut(at) else { return };
        used.uses -= 1;
        if used.uses == 0 {
            let used = self.used.remove(at);
            self.ids.remove(&used.name);
        }
    }

    /// The string, if it is in use.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<NameId> {
        self.ids.get(name).copied()
    }

    /// What the number names; nothing once nobody uses it.
    #[must_use]
    pub fn name(&self, id: NameId) -> &str {
        self.used.get(id.0 as usize).map_or("", |used| &used.name)
    }

    /// All that are in use, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.used.iter().map(|(_, used)| &*used.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_for_as_long_as_it_is_used() {
        let mut names = Names::default();
        let (first, second) = (names.hold("orders"), names.hold("teas"));
        assert_eq!(names.hold("orders"), first);
        names.release(first);
        assert_eq!((names.find("orders"), names.name(first)), (Some(first), "orders"));
        names.release(first);
        assert_eq!((names.find("orders"), names.name(first)), (None, ""));
        assert_eq!(names.iter().collect::<Vec<_>>(), ["teas"]);
        assert_eq!(names.hold("cups"), first, "numbers are given anew");
        assert_eq!(names.find("teas"), Some(second));
    }
}
