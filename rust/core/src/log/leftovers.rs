//! What a crash leaves beside a log: files to be deleted, output of the cleaner, swaps half done (Kafka class `LogLoader`).

use std::io;
use std::path::PathBuf;

use super::directory::Home;
use super::names::{FileKind, SegmentFileName, Suffix};
use super::scan::{BULK_CHUNK_BYTES, Scanner};
use super::writer::remove_if_there;
use crate::disk::Open;
use crate::ids::Offset;

/// The offsets in the names of the files of one kind that are in use.
pub(crate) fn files(names: &[String], kind: FileKind) -> impl Iterator<Item = Offset> {
    names.iter().filter_map(move |name| {
        let parsed = SegmentFileName::parse(name)?;
        (parsed.kind == kind && parsed.suffix == Suffix::None).then_some(parsed.base)
    })
}

/// Deletes what was to be deleted, finishes or takes back what the cleaner began, drops side files without a segment; gives
/// the names of the files that are left, sorted.
pub(crate) fn tidy(home: &Home) -> io::Result<Vec<String>> {
    let names = list(home)?;
    if names.iter().any(|name| SegmentFileName::parse(name).is_some_and(|parsed| parsed.suffix != Suffix::None)) {
        finish_swaps(home, &names)?;
    }
    let mut names = list(home)?;
    let logs: Vec<Offset> = files(&names, FileKind::Log).collect();
    let newest_snapshot = files(&names, FileKind::ProducerSnapshot).max();
    let mut orphans = Vec::new();
    names.retain(|name| {
        let Some(parsed) = SegmentFileName::parse(name) else {
            return true;
        };
        let orphan = match parsed.kind {
            FileKind::Log => false,
            // A snapshot stands for itself; the log decides which ones it needs.
            FileKind::ProducerSnapshot => Some(parsed.base) != newest_snapshot && logs.is_empty(),
            _ => !logs.contains(&parsed.base),
        };
        if orphan {
            orphans.push(name.clone());
        }
        !orphan
    });
    for name in orphans {
        remove_if_there(home, &name)?;
    }
    Ok(names)
}

/// The names of the files in a partition's directory.
pub(crate) fn list(home: &Home) -> io::Result<Vec<String>> {
    let entries = home.disk().list(&home.root())?;
    Ok(entries.into_iter().filter(|entry| !entry.is_dir).map(|entry| entry.name).collect())
}

fn finish_swaps(home: &Home, names: &[String]) -> io::Result<()> {
    let parsed: Vec<(&String, SegmentFileName)> =
        names.iter().filter_map(|name| Some((name, SegmentFileName::parse(name)?))).collect();
    let with = |suffix: Suffix| parsed.iter().filter(move |(_, parsed)| parsed.suffix == suffix);
    let cleaned = with(Suffix::Cleaned).map(|(_, parsed)| parsed.base).min();
    // A swap at or above output still being written belongs to an operation that never finished.
    let is_valid = |parsed: &SegmentFileName| cleaned.is_none_or(|cleaned| parsed.base < cleaned);
    for (name, _) in with(Suffix::Deleted).chain(with(Suffix::Cleaned)) {
        remove_if_there(home, name)?;
    }
    for (name, _) in with(Suffix::Swap).filter(|(_, parsed)| !is_valid(parsed)) {
        remove_if_there(home, name)?;
    }
    let swaps: Vec<_> = with(Suffix::Swap).filter(|(_, parsed)| is_valid(parsed)).collect();
    let mut replaced: Option<(Offset, Offset)> = None;
    for (name, parsed) in swaps.iter().filter(|(_, parsed)| parsed.kind == FileKind::Log) {
        let end = end_of(home, name, parsed.base)?;
        let (low, high) = replaced.unwrap_or((parsed.base, end));
        replaced = Some((low.min(parsed.base), high.max(end)));
    }
    if let Some((low, high)) = replaced {
        // The originals that the swaps replace, whichever of them are still there.
        for (name, original) in with(Suffix::None) {
            if original.kind != FileKind::ProducerSnapshot && (low..high).contains(&original.base) {
                remove_if_there(home, name)?;
            }
        }
    }
    for (name, _) in swaps {
        let to = PathBuf::from(name.strip_suffix(Suffix::Swap.text()).unwrap_or(name));
        home.disk().rename(&home.path(name), &home.root().join(to))?;
    }
    home.disk().sync_dir(&home.root())
}

/// The offset after the last batch of a segment that is not open yet.
fn end_of(home: &Home, name: &str, base: Offset) -> io::Result<Offset> {
    let file = home.open(name, Open::Read)?;
    let size = file.len()?;
    let mut scanner = Scanner::new(file, 0, size, BULK_CHUNK_BYTES);
    let mut end = base.plus(1);
    while let Some(Ok(frame)) = scanner.next()? {
        end = end.max(frame.next_offset());
    }
    Ok(end)
}
