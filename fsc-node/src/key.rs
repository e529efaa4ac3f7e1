//! A node's key, in a file that its owner alone may read.
//!
//! The file has a line of explanation and one with the secret half of the key: base32 (RFC 4648, no padding) of
//! its 32 bytes and 3 bytes of checksum, the first of BLAKE3 in `derive_key` mode with the context `fsc v1 key file` over them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::BASE32_NOPAD_NOCASE;
use fsc_core::identity::NodeKey;
use zeroize::Zeroizing;

const CHECKSUM: usize = 3;

/// What is wrong with a key file. None of it quotes the file.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file can't be read.
    #[error("can't read the key in {}: make one with `fsc keygen {}`", path.display(), path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file can't be written.
    #[error("can't write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is a key.
    #[error("{} exists: a key is not overwritten; who has lost nothing needs no other", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Others may read the file.
    #[error("others may read {}: take that right away with `chmod 600 {}`, or make another key", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The file holds no key.
    #[error("{} is not a key of `fsc keygen`, or was damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a key, if nobody but its owner can.
pub(crate) fn read(path: &Path) -> Result<NodeKey, KeyError> {
    let unreadable = |source| KeyError::Read { path: path.to_owned(), source };
    if !path.metadata().map_err(unreadable)?.is_file() {
        // Opening a pipe would wait for whoever writes to it.
        return Err(KeyError::Damaged { path: path.to_owned() });
    }
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.permissions().mode() & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned() });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(4096).read_to_string(&mut text).map_err(unreadable)?;
    parse(&text).ok_or_else(|| KeyError::Damaged { path: path.to_owned() })
}

/// Writes a key to a new file that its owner alone may read.
#[cfg_attr(not(feature = "cli"), allow(dead_code))]
pub(crate) fn write(path: &Path, key: &NodeKey) -> Result<(), KeyError> {
    let unwritable = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyError::Exists { path: path.to_owned() },
        _ => KeyError::Write { path: path.to_owned(), source },
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(unwritable)?;
    let written = file.write_all(print(key).as_bytes()).and_then(|()| file.sync_all());
    // Half a key would be in the way of a whole one.
    written.inspect_err(|_| drop(fs::remove_file(path))).map_err(unwritable)
}

fn parse(text: &str) -> Option<NodeKey> {
    let line = text.lines().find(|line| !line.starts_with('#'))?.trim();
    let bytes = Zeroizing::new(BASE32_NOPAD_NOCASE.decode(line.as_bytes()).ok()?);
    let (secret, sum) = bytes.split_first_chunk::<32>()?;
    (checksum(secret) == *sum).then(|| NodeKey::from_bytes(secret))
}

fn print(key: &NodeKey) -> Zeroizing<String> {
    let secret = key.expose();
    let bytes = Zeroizing::new([&secret[..], &checksum(&secret)].concat());
    let secret = Zeroizing::new(BASE32_NOPAD_NOCASE.encode(&bytes));
    Zeroizing::new(format!("# The secret key of fsc node {}: whoever has it is that node.\n{}\n", key.id(), *secret))
}

fn checksum(secret: &[u8; 32]) -> [u8; CHECKSUM] {
    let digest = blake3::derive_key("fsc v1 key file", secret);
    [digest[0], digest[1], digest[2]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("fsc-key-{}-{name}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        directory.join("node.key")
    }

    #[test]
    fn a_key_is_read_by_its_owner_alone() {
        let path = place("owner");
        let key = NodeKey::generate();
        write(&path, &key).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&path).unwrap().id(), key.id());
        assert!(matches!(write(&path, &key), Err(KeyError::Exists { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(KeyError::Exposed { .. })));
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_damaged_key_is_no_key_and_is_not_quoted() {
        let path = place("damaged");
        let text = print(&NodeKey::from_bytes(&[3; 32]));
        for damaged in [&text[..text.len() - 2], "", "node.key", &text.replace('A', "B")] {
            let _ = fs::remove_file(&path);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
            file.write_all(damaged.as_bytes()).unwrap();
            let Err(error) = read(&path) else { panic!("read it") };
            assert!(matches!(error, KeyError::Damaged { .. }));
        }
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
}
