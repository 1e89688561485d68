//! Where a scan that was interrupted goes on: a small file, replaced whole.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use cairn_history::audit::Seen;
use serde::{Deserialize, Serialize};

/// What is remembered of a scan that has not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// The last run that was judged.
    pub(super) run: Option<String>,
    pub(super) runs: u64,
    pub(super) records: u64,
    pub(super) events: u64,
    pub(super) violations: u64,
}

impl Position {
    /// What was remembered; the beginning if there is no file.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("{}", path.display())),
        };
        serde_json::from_slice(&text)
            .with_context(|| format!("{} does not hold the position of a scan", path.display()))
    }

    /// Replaces the file: it holds the old position or this one, whatever happens.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let replace = || -> std::io::Result<()> {
            let aside = aside(path);
            let mut file = File::create(&aside)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.sync_all()?;
            std::fs::rename(&aside, path)?;
            sync_folder(path)
        };
        replace().with_context(|| format!("the position could not be stored in {}", path.display()))
    }

    /// The scan is over: the next one begins at the beginning.
    pub(super) fn forget(path: &Path) -> anyhow::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// With what was seen since.
    pub(super) fn and(&self, run: Option<String>, seen: Seen) -> Self {
        Self {
            run: run.or_else(|| self.run.clone()),
            runs: self.runs + seen.runs,
            records: self.records + seen.records,
            events: self.events + seen.events,
            violations: self.violations + seen.violations,
        }
    }
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_and_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("position");
        assert_eq!(Position::read(&path).unwrap(), Position::default());
        let seen = Seen {
            runs: 2,
            violations: 1,
            ..Seen::default()
        };
        let position = Position::default().and(Some("a".to_owned()), seen);
        position.write(&path).unwrap();
        assert_eq!(Position::read(&path).unwrap(), position);
        let later = position.and(None, seen);
        assert_eq!(
            (later.run.as_deref(), later.runs, later.violations),
            (Some("a"), 4, 2)
        );
        Position::forget(&path).unwrap();
        Position::forget(&path).unwrap();
        assert_eq!(Position::read(&path).unwrap(), Position::default());
        std::fs::write(&path, "no").unwrap();
        assert!(Position::read(&path).is_err());
    }
}
