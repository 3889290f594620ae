//! A disk in memory that fails as disks do, from a seed.
//!
//! Prior art: `FoundationDB`'s simulated files, `TigerBeetle`'s storage fault simulator, ALICE's abstract persistence model. Ours keeps for each
//! file what the kernel holds and what is surely on the disk; a power failure leaves something in between, sector by sector, and a
//! directory in between its old and its new names. The death of a process loses nothing.
//!
//! Model of a power failure: of the bytes written since the last successful flush, each sector is there or not; of an
//! extension, the length is somewhere between old and new, and sectors that did not make it are zeros. Of the names changed in a
//! directory since its last flush, a prefix in order of change is there. A flush that fails leaves its bytes unflushed
//! but marks them clean: a later flush succeeds and does not write them. The same seed gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::{Disk, Entry, File, Open, Stat};

/// What the disk writes as a whole or not at all.
pub const SECTOR_BYTES: u64 = 512;

/// A small generator (`SplitMix64`) that the simulation is drawn from.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number of `0..bound`, or 0 when there is none.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.bits() % bound }
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// Which faults the disk has from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// Bytes that fit; beyond, writes fail with «no space». None has no end.
    pub capacity: Option<u64>,
    /// One write in so many fails after a part of it was written (0: none).
    pub write_error_once_in: u64,
    /// One flush in so many fails (0: none).
    pub sync_error_once_in: u64,
}

/// The disk. Clones of the `Arc` are the same disk.
#[derive(Debug)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    random: Random,
    faults: Faults,
    nodes: BTreeMap<u64, Node>,
    next_node: u64,
    /// What the process sees.
    names: BTreeMap<PathBuf, Target>,
    /// What is surely on the disk.
    durable_names: BTreeMap<PathBuf, Target>,
    /// Changes of names since the flush of their directory, in order.
    changes: Vec<Change>,
    /// Counts writes, as the time of files.
    clock_ms: i64,
    /// Locked files.
    locks: BTreeSet<PathBuf>,
    /// Counts crashes: files opened before are of no use after.
    generation: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    File(u64),
    Directory,
}

#[derive(Clone, Debug)]
enum Change {
    Set(PathBuf, Target),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

/// The content of a file.
#[derive(Clone, Debug, Default)]
struct Node {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors written since the last flush that succeeded.
    dirty: BTreeSet<u64>,
    /// Sectors that a failed flush marked clean.
    lost: BTreeSet<u64>,
    modified_ms: i64,
}

impl SimDisk {
    /// An empty disk without faults; `seed` decides what a power failure leaves.
    #[must_use]
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            state: Arc::new(Mutex::new(State {
                random: Random::new(seed),
                faults: Faults::default(),
                nodes: BTreeMap::new(),
                next_node: 0,
                names: BTreeMap::new(),
                durable_names: BTreeMap::new(),
                changes: Vec::new(),
                clock_ms: 0,
                locks: BTreeSet::new(),
                generation: 0,
            })),
        })
    }

    /// Sets the faults from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state.lock().faults = faults;
    }

    /// Bytes of all files.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.state.lock().used()
    }

    /// The process dies: files close, locks fall, nothing is lost. The same disk, to be opened again.
    #[must_use]
    pub fn kill_process(&self) -> Arc<Self> {
        let mut state = self.state.lock();
        state.generation += 1;
        state.locks.clear();
        drop(state);
        Arc::new(Self { state: Arc::clone(&self.state) })
    }

    /// The power fails: the disk as it is found afterwards, without faults.
    #[must_use]
    pub fn lose_power(&self) -> Arc<Self> {
        let mut state = self.state.lock();
        state.generation += 1;
        state.locks.clear();
        state.faults = Faults::default();
        state.lose_names();
        state.lose_bytes();
        drop(state);
        Arc::new(Self { state: Arc::clone(&self.state) })
    }

    /// Every file and its bytes, as a process sees them: to compare two runs of a seed.
    #[must_use]
    pub fn content(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.state.lock();
        let file = |(path, target): (&PathBuf, &Target)| match target {
            Target::File(node) => Some((path.clone(), state.nodes.get(node)?.bytes.clone())),
            Target::Directory => None,
        };
        state.names.iter().filter_map(file).collect()
    }

    /// Flips one bit of a file, in memory and on the disk, as decay does.
    pub fn flip_bit(&self, path: &Path, bit: u64) {
        let mut state = self.state.lock();
        let Some(Target::File(node)) = state.names.get(path).copied() else { return };
        let Some(node) = state.nodes.get_mut(&node) else { return };
        for bytes in [&mut node.bytes, &mut node.durable] {
            if let Some(byte) = bytes.get_mut((bit / 8) as usize) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }
}

fn apply(names: &mut BTreeMap<PathBuf, Target>, change: &Change) {
    match change {
        Change::Set(path, target) => {
            names.insert(path.clone(), *target);
        }
        Change::Remove(path) => names.retain(|name, _| !name.starts_with(path)),
        Change::Rename(from, to) => {
            let moved: Vec<PathBuf> = names.keys().filter(|name| name.starts_with(from)).cloned().collect();
            for name in moved {
                let Some(target) = names.remove(&name) else { continue };
                let rest = name.strip_prefix(from).unwrap_or(Path::new(""));
                let name = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
                names.insert(name, target);
            }
        }
    }
}

impl Change {
    /// The directory whose flush makes it durable.
    fn directory(&self) -> &Path {
        let (Self::Set(path, _) | Self::Remove(path) | Self::Rename(_, path)) = self;
        path.parent().unwrap_or(Path::new(""))
    }
}

impl State {
    fn used(&self) -> u64 {
        let live = self.names.values().filter_map(|target| match target {
            Target::File(node) => self.nodes.get(node),
            Target::Directory => None,
        });
        live.map(|node| node.bytes.len() as u64).sum()
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.names, &change);
        self.changes.push(change);
    }

    /// Per directory, a prefix of the changes since its flush is on the disk.
    fn lose_names(&mut self) {
        let mut kept: BTreeMap<PathBuf, bool> = BTreeMap::new();
        for change in std::mem::take(&mut self.changes) {
            let random = &mut self.random;
            let goes_on = kept.entry(change.directory().to_owned()).or_insert(true);
            *goes_on = *goes_on && !random.once_in(3);
            // What lies in a directory that is not there is not there either.
            let parent = change.directory();
            let has_parent = parent.as_os_str().is_empty() || self.durable_names.contains_key(parent);
            if *goes_on && has_parent {
                apply(&mut self.durable_names, &change);
            }
        }
        self.names = self.durable_names.clone();
    }

    fn lose_bytes(&mut self) {
        let State { random, nodes, names, .. } = self;
        let live: BTreeSet<u64> =
            names.values().filter_map(|t| if let Target::File(n) = t { Some(*n) } else { None }).collect();
        nodes.retain(|node, _| live.contains(node));
        for node in nodes.values_mut() {
            node.lose(random);
        }
    }

    fn is_full_for(&self, more: u64) -> bool {
        self.faults.capacity.is_some_and(|capacity| more > 0 && self.used() + more > capacity)
    }
}

impl Node {
    /// Leaves of the unflushed sectors some, and of a changed length something between the old and the new.
    fn lose(&mut self, random: &mut Random) {
        let (old, new) = (self.durable.len() as u64, self.bytes.len() as u64);
        let len = match random.below(3) {
            0 => old,
            1 => new,
            _ => old.min(new) + random.below(old.abs_diff(new) + 1),
        };
        // All, none, or each for itself: a disk that writes in order is as likely as one that does not.
        let manner = random.below(4);
        let cut = random.below(self.dirty.len() as u64 + 1);
        let mut found = std::mem::take(&mut self.durable);
        found.resize(new.max(old) as usize, 0);
        for (at, &sector) in self.dirty.iter().enumerate() {
            let written = match manner {
                0 => true,
                1 => false,
                2 => (at as u64) < cut,
                _ => random.once_in(2),
            };
            let start = (sector * SECTOR_BYTES) as usize;
            let end = (start + SECTOR_BYTES as usize).min(self.bytes.len());
            if written && !self.lost.contains(&sector) && start < end {
                found[start..end].copy_from_slice(&self.bytes[start..end]);
            }
        }
        found.truncate(len as usize);
        *self = Self { bytes: found.clone(), durable: found, modified_ms: self.modified_ms, ..Self::default() };
    }

    fn touch(&mut self, start: u64, end: u64) {
        for sector in start / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            self.dirty.insert(sector);
            self.lost.remove(&sector);
        }
    }

    fn resize(&mut self, len: u64) {
        let before = self.bytes.len() as u64;
        self.bytes.resize(len as usize, 0);
        self.touch(before.min(len), before.max(len));
    }

    fn flush(&mut self) {
        let len = self.bytes.len();
        self.durable.resize(len, 0);
        for &sector in self.dirty.iter().filter(|sector| !self.lost.contains(sector)) {
            let start = (sector * SECTOR_BYTES) as usize;
            let end = (start + SECTOR_BYTES as usize).min(len);
            if start < end {
                self.durable[start..end].copy_from_slice(&self.bytes[start..end]);
            }
        }
        // What a failed flush marked clean stays what it was on the disk.
        self.dirty = std::mem::take(&mut self.lost);
        self.lost = self.dirty.clone();
    }
}

/// One open file of the simulated disk.
#[derive(Debug)]
struct SimFile {
    state: Arc<Mutex<State>>,
    node: u64,
    generation: u64,
    writable: bool,
    lock: Option<PathBuf>,
}

impl SimFile {
    /// As a descriptor that was opened for reading: EBADF.
    fn may_write(&self) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(io::Error::from_raw_os_error(9)) }
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        if let Some(path) = &self.lock {
            let mut state = self.state.lock();
            if state.generation == self.generation {
                state.locks.remove(path);
            }
        }
    }
}

impl SimFile {
    fn with<T>(&self, act: impl FnOnce(&mut State, u64) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock();
        if state.generation != self.generation {
            return Err(io::Error::other("the process that opened this file is dead"));
        }
        act(&mut state, self.node)
    }
}

fn node(state: &mut State, node: u64) -> io::Result<&mut Node> {
    state.nodes.get_mut(&node).ok_or_else(|| io::ErrorKind::NotFound.into())
}

impl File for SimFile {
    fn write_at(&self, position: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.may_write()?;
        self.with(|state, at| {
            let mut bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
            state.clock_ms += 1;
            let mut failure = None;
            let fails = state.faults.write_error_once_in;
            if fails > 0 && state.random.once_in(fails) {
                failure = Some(io::Error::from_raw_os_error(5));
            }
            let len = node(state, at)?.bytes.len() as u64;
            let grown = (position + bytes.len() as u64).saturating_sub(len);
            if state.is_full_for(grown) {
                failure = Some(io::ErrorKind::StorageFull.into());
            }
            if failure.is_some() {
                let mut some = state.random.below(bytes.len() as u64 + 1);
                if let Some(capacity) = state.faults.capacity {
                    let room = len.saturating_sub(position) + capacity.saturating_sub(state.used());
                    some = some.min(room);
                }
                bytes.truncate(some as usize);
            }
            let clock_ms = state.clock_ms;
            let node = node(state, at)?;
            let end = position + bytes.len() as u64;
            if !bytes.is_empty() {
                if end > len {
                    node.resize(end);
                }
                node.bytes[position as usize..end as usize].copy_from_slice(&bytes);
                node.touch(position, end);
                node.modified_ms = clock_ms;
            }
            failure.map_or(Ok(()), Err)
        })
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        self.with(|state, at| {
            let bytes = &node(state, at)?.bytes;
            let start = (position as usize).min(bytes.len());
            let end = start.saturating_add(into.len()).min(bytes.len());
            into[..end - start].copy_from_slice(&bytes[start..end]);
            Ok(end - start)
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|state, at| Ok(node(state, at)?.bytes.len() as u64))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.may_write()?;
        self.with(|state, at| {
            let before = node(state, at)?.bytes.len() as u64;
            if state.is_full_for(len.saturating_sub(before)) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            node(state, at)?.resize(len);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|state, at| {
            let fails = state.faults.sync_error_once_in;
            let failed = fails > 0 && state.random.once_in(fails);
            let node = node(state, at)?;
            if failed {
                node.lost = node.dirty.clone();
                return Err(io::Error::from_raw_os_error(5));
            }
            node.flush();
            Ok(())
        })
    }

    fn modified_ms(&self) -> io::Result<i64> {
        self.with(|state, at| Ok(node(state, at)?.modified_ms))
    }
}

impl SimDisk {
    fn file(&self, state: &State, node: u64, how: Open, lock: Option<PathBuf>) -> Arc<dyn File> {
        let (generation, writable) = (state.generation, how != Open::Read);
        Arc::new(SimFile { state: Arc::clone(&self.state), node, generation, writable, lock })
    }

    fn must_have_parent(state: &State, path: &Path) -> io::Result<()> {
        let parent = path.parent().unwrap_or(Path::new(""));
        if parent.as_os_str().is_empty() || state.names.get(parent) == Some(&Target::Directory) {
            Ok(())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let mut state = self.state.lock();
        let node = match (state.names.get(path).copied(), how) {
            (Some(Target::Directory), _) => return Err(io::ErrorKind::IsADirectory.into()),
            (Some(Target::File(at)), Open::Truncate) => {
                node(&mut state, at)?.resize(0);
                at
            }
            (Some(Target::File(at)), _) => at,
            (None, Open::Read | Open::Write) => return Err(io::ErrorKind::NotFound.into()),
            (None, Open::Create | Open::Truncate) => {
                Self::must_have_parent(&state, path)?;
                let at = state.next_node;
                state.next_node += 1;
                let modified_ms = state.clock_ms;
                state.nodes.insert(at, Node { modified_ms, ..Node::default() });
                state.change(Change::Set(path.to_owned(), Target::File(at)));
                at
            }
        };
        Ok(self.file(&state, node, how, None))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.state.lock().names.contains_key(path))
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let mut state = self.state.lock();
        match state.names.get(path).copied() {
            Some(Target::File(at)) => {
                let node = node(&mut state, at)?;
                Ok(Stat { len: node.bytes.len() as u64, modified_ms: node.modified_ms })
            }
            Some(Target::Directory) => Ok(Stat { len: 0, modified_ms: 0 }),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.open(path, Open::Create)?;
        let mut state = self.state.lock();
        if !state.locks.insert(path.to_owned()) {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "held by another process"));
        }
        let Some(Target::File(at)) = state.names.get(path).copied() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        Ok(self.file(&state, at, Open::Create, Some(path.to_owned())))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let state = self.state.lock();
        if !path.as_os_str().is_empty() && state.names.get(path) != Some(&Target::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = state.names.iter().filter(|(name, _)| name.parent() == Some(path));
        let entry = |(name, target): (&PathBuf, &Target)| {
            let name = name.file_name()?.to_string_lossy().into_owned();
            Some(Entry { name, is_dir: *target == Target::Directory })
        };
        let mut entries: Vec<Entry> = inside.filter_map(entry).collect();
        entries.sort_unstable();
        Ok(entries)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        match state.names.get(path) {
            Some(Target::Directory) => Ok(()),
            Some(Target::File(_)) => Err(io::ErrorKind::AlreadyExists.into()),
            None => {
                Self::must_have_parent(&state, path)?;
                state.change(Change::Set(path.to_owned(), Target::Directory));
                Ok(())
            }
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        if !state.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Self::must_have_parent(&state, to)?;
        state.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        match state.names.get(path) {
            Some(Target::File(_)) => {
                state.change(Change::Remove(path.to_owned()));
                Ok(())
            }
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.names.get(path) != Some(&Target::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        // From the leaves up, each a change of its own: a crash may come in the middle.
        let mut doomed: Vec<PathBuf> = state.names.keys().filter(|name| name.starts_with(path)).cloned().collect();
        doomed.reverse();
        for name in doomed {
            state.change(Change::Remove(name));
        }
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let fails = state.faults.sync_error_once_in;
        if fails > 0 && state.random.once_in(fails) {
            return Err(io::Error::from_raw_os_error(5));
        }
        let state = &mut *state;
        let durable = &mut state.durable_names;
        state.changes.retain(|change| {
            let here = change.directory() == path;
            if here {
                apply(durable, change);
            }
            !here
        });
        Ok(())
    }

    fn space(&self) -> io::Result<(u64, u64)> {
        let state = self.state.lock();
        let total = state.faults.capacity.unwrap_or(1 << 40);
        Ok((total, total.saturating_sub(state.used())))
    }

    fn describe(&self) -> String {
        "simulated".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{read_all, replace};

    fn write(disk: &SimDisk, path: &str, position: u64, bytes: &[u8]) -> Arc<dyn File> {
        let file = disk.open(Path::new(path), Open::Create).unwrap();
        file.write_at(position, &[IoSlice::new(bytes)]).unwrap();
        file
    }

    #[test]
    fn a_dead_process_loses_nothing() {
        let disk = SimDisk::new(1);
        let file = write(&disk, "a", 0, b"text");
        let disk = disk.kill_process();
        assert_eq!(read_all(&*disk, Path::new("a"), 10).unwrap(), b"text");
        assert!(file.len().is_err());
    }

    #[test]
    fn what_was_flushed_survives_and_the_rest_may_not() {
        let (mut lost, mut kept, mut nameless) = (0, 0, 0);
        for seed in 0..200 {
            let disk = SimDisk::new(seed);
            let file = write(&disk, "a", 0, &[1; 2000]);
            file.sync().unwrap();
            disk.sync_dir(Path::new("")).unwrap();
            file.write_at(2000, &[IoSlice::new(&[2; 2000])]).unwrap();
            write(&disk, "b", 0, b"b");
            let disk = disk.lose_power();
            let found = read_all(&*disk, Path::new("a"), 10_000).unwrap();
            assert_eq!(&found[..2000], &[1; 2000]);
            assert!(found[2000..].iter().all(|&byte| byte == 0 || byte == 2));
            if found.len() == 4000 && found[2000..] == [2; 2000] {
                kept += 1;
            } else {
                lost += 1;
            }
            nameless += u32::from(!disk.exists(Path::new("b")).unwrap());
        }
        assert!(lost > 20 && kept > 5 && nameless > 20, "{lost} {kept} {nameless}");
    }

    #[test]
    fn a_failed_flush_loses_the_bytes_even_if_the_next_succeeds() {
        for seed in 0..50 {
            let disk = SimDisk::new(seed);
            let file = write(&disk, "a", 0, &[1; 512]);
            disk.sync_dir(Path::new("")).unwrap();
            disk.set_faults(Faults { sync_error_once_in: 1, ..Faults::default() });
            assert!(file.sync().is_err());
            disk.set_faults(Faults::default());
            file.sync().unwrap();
            let found = read_all(&*disk.lose_power(), Path::new("a"), 10_000).unwrap();
            assert!(found.iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn a_full_disk_takes_a_part_and_says_so() {
        let disk = SimDisk::new(3);
        disk.set_faults(Faults { capacity: Some(100), ..Faults::default() });
        let file = write(&disk, "a", 0, &[1; 90]);
        let error = file.write_at(90, &[IoSlice::new(&[1; 20])]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(file.len().unwrap() <= 100);
        file.set_len(0).unwrap();
        file.write_at(0, &[IoSlice::new(&[1; 100])]).unwrap();
    }

    #[test]
    fn a_replaced_file_is_the_old_or_the_new() {
        for seed in 0..200 {
            let disk = SimDisk::new(seed);
            replace(&*disk, Path::new("a"), b"old").unwrap();
            disk.set_faults(Faults { sync_error_once_in: 2, ..Faults::default() });
            let done = replace(&*disk, Path::new("a"), b"newer").is_ok();
            let disk = disk.lose_power();
            let found = read_all(&*disk, Path::new("a"), 10).unwrap();
            assert!(found == b"newer" || (!done && found == b"old"), "{seed} {found:?}");
        }
    }

    #[test]
    fn one_seed_gives_the_same_bytes() {
        let run = |seed| {
            let disk = SimDisk::new(seed);
            for n in 0..20_u8 {
                write(&disk, &format!("f{}", n % 5), u64::from(n) * 300, &[n; 700]);
            }
            disk.lose_power().content()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }
}
