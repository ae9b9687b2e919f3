//! Runs that were saved in a folder, to be run again.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Failure;
use crate::scenario::Scenario;

/// The scenario as it was run, beside its report.
pub(super) const SCENARIO: &str = "scenario.toml";
const SUMMARY: &str = "summary.json";

/// A saved run.
pub(super) struct Saved {
    pub(super) folder: PathBuf,
    pub(super) scenario: Scenario,
    pub(super) seed: u64,
    pub(super) hash: String,
    pub(super) summary: Value,
}

impl Saved {
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(SUMMARY);
        let text = fs::read_to_string(&path).map_err(|error| {
            Failure::new(format!(
                "{}: there is no saved run: {error}\nhelp: `run SCENARIO --out FOLDER` saves one; name that folder (`explain` \
                 takes it as `--in FOLDER`)",
                folder.display()
            ))
        })?;
        let summary: Value = serde_json::from_str(&text)
            .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        let field = |name: &str| {
            summary.get(name).cloned().ok_or_else(|| {
                Failure::new(format!("{}: `{name}` is missing: this is no summary of a run", path.display()))
            })
        };
        let seed = field("seed")?.as_u64().unwrap_or_default();
        let hash = field("hash")?.as_str().unwrap_or_default().to_owned();
        let scenario = Scenario::load(&folder.join(SCENARIO)).map_err(Failure::new)?;
        Ok(Self { folder: folder.into(), scenario, seed, hash, summary })
    }

    /// The run that is meant by a folder, a file in it, or the beginning of a hash of one below `within`.
    pub(super) fn find(name: &Path, within: &Path) -> Result<Self, Failure> {
        if name.is_dir() {
            return Self::open(name);
        }
        if name.is_file() {
            return Self::open(
                name.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new(".")),
            );
        }
        let text = name.to_string_lossy();
        let mut found = Vec::new();
        if text.len() >= 4 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            search(within, &text.to_lowercase(), 3, &mut found);
        }
        match &found[..] {
            [one] => Self::open(one),
            [] => Err(Failure::new(format!(
                "{text}: there is no such folder or file, and no run with this hash below {}\nhelp: a hash takes at \
                 least 4 digits; `--in FOLDER` says where to look",
                within.display()
            ))),
            [one, other, ..] => Err(Failure::new(format!(
                "{text}: more than one run has this hash: {} and {}",
                one.display(),
                other.display()
            ))),
        }
    }
}

/// The folders with a run of this hash.
fn search(folder: &Path, hash: &str, depth: u32, found: &mut Vec<PathBuf>) {
    if let Ok(text) = fs::read_to_string(folder.join(SUMMARY))
        && let Ok(summary) = serde_json::from_str::<Value>(&text)
        && summary["hash"].as_str().is_some_and(|known| known.starts_with(hash))
    {
        found.push(folder.into());
    }
    let Some(entries) = fs::read_dir(folder).ok().filter(|_| depth > 0) else { return };
    let mut folders: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.iter().for_each(|folder| search(folder, hash, depth - 1, found));
}
