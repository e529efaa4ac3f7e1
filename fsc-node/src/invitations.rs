//! The invitations of a node, as files that `fsc invite` and `fsc serve` share. Where they are says [the directory](crate::annex).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::BASE32_NOPAD_NOCASE;
use fsc_core::identity::NodeId;
use fsc_transport::seal::invite::{DECISION, Guest, Lookup, Psk, Verdict};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::annex;

/// How long it is remembered what became of an invitation.
const REMEMBERED: Duration = Duration::from_secs(2 * DECISION.as_secs());

/// A directory of invitations.
#[derive(Debug)]
pub(crate) struct Book {
    directory: PathBuf,
    /// One guest at a time uses an invitation.
    claims: Mutex<()>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    psk: String,
    expires: u64,
}

/// Who has joined, as the file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Joined {
    pub(crate) id: String,
    pub(crate) address: Option<String>,
    pub(crate) words: String,
}

impl Book {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, claims: Mutex::default() }
    }

    /// Opens an invitation until then.
    pub(crate) fn open(&self, lookup: Lookup, psk: &Psk, expires: u64) -> io::Result<()> {
        annex::directory(&self.directory)?;
        let psk = Zeroizing::new(BASE32_NOPAD_NOCASE.encode(psk.expose()));
        let text = Zeroizing::new(format!("psk = {:?}\nexpires = {expires}\n", psk.as_str()));
        annex::write(&self.at(lookup, "toml"), &text)
    }

    /// Whether an invitation is open.
    pub(crate) fn is_open(&self, lookup: Lookup) -> bool {
        self.at(lookup, "toml").exists()
    }

    /// The key of an open invitation.
    pub(crate) fn find(&self, lookup: Lookup) -> Option<Psk> {
        let text = Zeroizing::new(annex::read(&self.at(lookup, "toml")).ok()?);
        let open: Open = toml::from_str(&text).ok()?;
        if open.expires <= now() || self.at(lookup, "guest").exists() {
            self.close(lookup);
            return None;
        }
        let psk = Zeroizing::new(open.psk);
        let bytes = Zeroizing::new(BASE32_NOPAD_NOCASE.decode(psk.as_bytes()).ok()?);
        Some(Psk::from_bytes(bytes.as_slice().try_into().ok()?))
    }

    /// Makes an invitation void that was tried too often in vain.
    pub(crate) fn revoke(&self, lookup: Lookup) -> io::Result<()> {
        self.judge(lookup, Verdict::Declined)?;
        self.close(lookup);
        Ok(())
    }

    /// Ends an invitation.
    pub(crate) fn close(&self, lookup: Lookup) {
        // It may be gone already.
        let _ = fs::remove_file(self.at(lookup, "toml"));
    }

    /// Notes who has used an invitation, and makes it void. Answers whether it was open.
    pub(crate) fn claim(&self, lookup: Lookup, guest: &Guest) -> io::Result<bool> {
        let _one = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        if self.find(lookup).is_none() {
            return Ok(false);
        }
        let address = guest.address.as_ref().map(|address| format!("address = {:?}\n", address.as_str()));
        let text = format!("id = \"{}\"\n{}words = \"{}\"\n", guest.id, address.unwrap_or_default(), guest.words);
        annex::write(&self.at(lookup, "guest"), &text)?;
        self.close(lookup);
        Ok(true)
    }

    /// Who has used an invitation.
    pub(crate) fn guest(&self, lookup: Lookup) -> Option<Joined> {
        toml::from_str(&annex::read(&self.at(lookup, "guest")).ok()?).ok()
    }

    /// Notes whether the guest's person agrees.
    pub(crate) fn hear(&self, lookup: Lookup, agrees: bool) -> io::Result<()> {
        if self.says(lookup) == Some(agrees) { Ok(()) } else { annex::write(&self.at(lookup, "says"), said(agrees)) }
    }

    /// Whether the guest's person agrees, if it has said so.
    pub(crate) fn says(&self, lookup: Lookup) -> Option<bool> {
        heard(&self.at(lookup, "says"))
    }

    /// Notes what became of an invitation.
    pub(crate) fn judge(&self, lookup: Lookup, verdict: Verdict) -> io::Result<()> {
        annex::write(&self.at(lookup, "verdict"), said(verdict == Verdict::Agreed))
    }

    /// What became of an invitation.
    pub(crate) fn verdict(&self, lookup: Lookup) -> Option<Verdict> {
        let agreed = heard(&self.at(lookup, "verdict"))?;
        Some(if agreed { Verdict::Agreed } else { Verdict::Declined })
    }

    /// Removes what has expired.
    pub(crate) fn sweep(&self) {
        let Ok(files) = fs::read_dir(&self.directory) else { return };
        for path in files.filter_map(|file| Some(file.ok()?.path())) {
            if is_over(&path) {
                // Another process may do the same.
                let _ = fs::remove_file(path);
            }
        }
    }

    fn at(&self, lookup: Lookup, what: &str) -> PathBuf {
        self.directory.join(format!("{lookup}.{what}"))
    }
}

/// The seconds since 1970, by the system's clock.
pub(crate) fn now() -> u64 {
    since_epoch().as_secs()
}

/// The time since 1970, by the system's clock; zero before that.
pub(crate) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// How a guest is listed.
pub(crate) fn listing(id: NodeId, address: Option<String>, collect: bool) -> crate::config::Other {
    crate::config::Other { id: id.to_string(), address, via: None, forward: false, collect }
}

fn is_over(path: &Path) -> bool {
    if path.extension().is_some_and(|extension| extension == "toml") {
        let text = Zeroizing::new(annex::read(path).unwrap_or_default());
        return toml::from_str(&text).is_ok_and(|open: Open| open.expires <= now());
    }
    let changed = path.metadata().and_then(|about| about.modified()).ok();
    changed.and_then(|changed| changed.elapsed().ok()).is_some_and(|age| age > REMEMBERED)
}

fn said(agrees: bool) -> &'static str {
    if agrees { "yes" } else { "no" }
}

fn heard(path: &Path) -> Option<bool> {
    match annex::read(path).ok()?.as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use fsc_core::identity::NodeKey;
    use fsc_transport::seal::invite::Code;

    use super::*;

    fn book(name: &str) -> Book {
        let directory = std::env::temp_dir().join(format!("fsc-book-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        Book::new(directory)
    }

    fn code() -> Code {
        Code::draw(&"http://a:1".parse().unwrap()).unwrap()
    }

    #[test]
    fn an_invitation_is_open_until_it_expires_and_leaves_no_key_behind() {
        let (book, code) = (book("expires"), code());
        book.open(code.lookup(), &code.psk(), now() + 60).unwrap();
        let file = book.at(code.lookup(), "toml");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(book.directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(book.find(code.lookup()).unwrap().expose(), code.psk().expose());
        book.sweep();
        assert!(book.is_open(code.lookup()));
        for forget in [|book: &Book, lookup| drop(book.find(lookup)), |book: &Book, _| book.sweep()] {
            book.open(code.lookup(), &code.psk(), now()).unwrap();
            forget(&book, code.lookup());
            assert_eq!(fs::read_dir(&book.directory).unwrap().count(), 0);
        }
        fs::remove_dir_all(&book.directory).unwrap();
    }

    #[test]
    fn an_invitation_is_claimed_once_and_leaves_no_key_behind() {
        let (book, code) = (book("claimed"), code());
        let psk = BASE32_NOPAD_NOCASE.encode(code.psk().expose());
        let words = "lusab babad gutih tugad";
        let text = format!("id = \"{}\"\nwords = \"{words}\"\n", NodeKey::from_bytes(&[1; 32]).id());
        book.open(code.lookup(), &code.psk(), now() + 60).unwrap();
        // As `claim` does; a guest's words come from a handshake only.
        annex::write(&book.at(code.lookup(), "guest"), &text).unwrap();
        assert!(book.find(code.lookup()).is_none(), "it was used");
        assert_eq!(book.guest(code.lookup()).unwrap().words, words);
        for file in fs::read_dir(&book.directory).unwrap() {
            assert!(!fs::read_to_string(file.unwrap().path()).unwrap().to_uppercase().contains(&psk));
        }
        fs::remove_dir_all(&book.directory).unwrap();
    }

    #[test]
    fn what_people_say_is_read_as_it_was_written() {
        let (book, code) = (book("says"), code());
        annex::directory(&book.directory).unwrap();
        assert_eq!((book.says(code.lookup()), book.verdict(code.lookup())), (None, None));
        for agrees in [true, false] {
            book.hear(code.lookup(), agrees).unwrap();
            assert_eq!(book.says(code.lookup()), Some(agrees));
        }
        book.judge(code.lookup(), Verdict::Agreed).unwrap();
        assert_eq!(book.verdict(code.lookup()), Some(Verdict::Agreed));
        fs::remove_dir_all(&book.directory).unwrap();
    }
}
