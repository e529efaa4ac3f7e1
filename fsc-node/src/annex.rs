//! What the processes of one node share: a directory beside the file of its key, which its owner alone may read.
//!
//! ```text
//! node.key.d/nodes.toml                   nodes that were learned by invitations, as [[nodes]] in the configuration; the last
//!                                         entry for an id counts, and the configuration's own before it
//! node.key.d/invitations/LOOKUP.toml      an open invitation: its key, and when it expires; gone once it was used, or is void
//! node.key.d/invitations/LOOKUP.guest     who has used it, and the words to compare
//! node.key.d/invitations/LOOKUP.says      whether the person there agrees: yes or no
//! node.key.d/invitations/LOOKUP.verdict   whether both do
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::Other;
use crate::invitations::Book;

/// More than a file of the directory has.
const MOST: u64 = 1 << 20;

/// The directory.
#[derive(Clone, Debug)]
pub(crate) struct Annex(PathBuf);

/// What is wrong with the directory.
#[derive(Debug, thiserror::Error)]
pub enum AnnexError {
    /// A file can't be read.
    #[error("can't read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file can't be written.
    #[error("can't write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is no list of nodes: {what}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; nothing of the text.
        what: String,
    },
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Nodes {
    nodes: Vec<Other>,
}

impl Annex {
    /// The directory that belongs to a key.
    pub(crate) fn of(key: &Path) -> Self {
        let mut path = key.as_os_str().to_owned();
        path.push(".d");
        Self(path.into())
    }

    /// The file of the nodes that were learned.
    pub(crate) fn nodes(&self) -> PathBuf {
        self.0.join("nodes.toml")
    }

    /// What that file says.
    pub(crate) fn text(&self) -> Result<String, AnnexError> {
        let path = self.nodes();
        match read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            read => read.map_err(|source| AnnexError::Read { path, source }),
        }
    }

    /// The nodes in such a text; the last entry for an id counts.
    pub(crate) fn parse(&self, text: &str) -> Result<Vec<Other>, AnnexError> {
        let nodes: Result<Nodes, _> = toml::from_str(text);
        let wrong = |error: toml::de::Error| AnnexError::Parse { path: self.nodes(), what: error.message().to_owned() };
        let mut last: Vec<Other> = Vec::new();
        for other in nodes.map_err(wrong)?.nodes {
            last.retain(|earlier| !earlier.is_same(&other));
            last.push(other);
        }
        Ok(last)
    }

    /// Lists a node.
    pub(crate) fn list(&self, other: &Other) -> Result<(), AnnexError> {
        let path = self.nodes();
        let unwritable = |source| AnnexError::Write { path: path.clone(), source };
        directory(&self.0).map_err(unwritable)?;
        // One process at a time; the lock ends with the file.
        let lock = options().truncate(false).open(self.0.join("lock")).map_err(unwritable)?;
        lock.lock().map_err(unwritable)?;
        let text = self.text()? + &other.to_string();
        self.parse(&text)?;
        write(&path, &text).map_err(unwritable)
    }

    /// The invitations of the node.
    pub(crate) fn book(&self) -> Book {
        Book::new(self.0.join("invitations"))
    }
}

/// Makes a directory that its owner alone may use, if there is none.
pub(crate) fn directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    if path.metadata()?.permissions().mode() & 0o077 != 0 {
        let why = format!("others may use {0}: take that right away with `chmod 700 {0}`", path.display());
        return Err(io::Error::new(ErrorKind::PermissionDenied, why));
    }
    Ok(())
}

/// What a small file says.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MOST).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes a file that its owner alone may read; who reads it sees all of it, or what was there before.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let mut file = options().truncate(true).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_others_may_use_is_refused() {
        let path = std::env::temp_dir().join(format!("fsc-annex-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        directory(&path).unwrap();
        directory(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
        assert!(directory(&path).unwrap_err().to_string().contains("chmod 700"));
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn what_is_written_replaces_what_was_there_and_leaves_nothing_beside() {
        let path = std::env::temp_dir().join(format!("fsc-annex-{}-whole", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        directory(&path).unwrap();
        for text in ["a long text", "short"] {
            write(&path.join("file"), text).unwrap();
            assert_eq!(read(&path.join("file")).unwrap(), text);
        }
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        fs::remove_dir_all(&path).unwrap();
    }
}
