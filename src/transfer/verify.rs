//! Whether a file is the one its vendor made: a SHA-256 sum, a usign signature.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::fault::{ACCESS, CORRUPTED, UNAUTHENTIC, fault, of_download};
use super::fetch::Fetched;
use super::progress::Stop;
use super::usign::{self, PublicKey, Signature};
use super::{sums, sums::hex};
use crate::cwmp::message::TransferFault;
use crate::net::file::{FileClient, FileConfig, FileError};
use crate::net::url::Url;

/// Where the keys of OpenWrt's package feeds lie.
pub const DEFAULT_KEYS: &str = "/etc/opkg/keys";
/// Largest file whose own signature is checked, bytes: it is held in memory as a whole for
/// it. A larger one needs a signed sum: both `sha256` and `signature`.
pub const MAX_SIGNED: u64 = 4 * 1024 * 1024;

/// What a file is held against before it is used. In agent.toml, in a `[[download]]`:
///
/// ```toml
/// verify = { sha256 = ".sha256", signature = ".sig", keys = "/etc/opkg/keys" }
/// ```
///
/// Each part may be left out. Nothing at all: no check.
///
/// * `sha256` alone: the sum at the file's URL with this text after its path
///   (`…/image.bin.sha256`); the first 64 hex digits of it count, so that what `sha256sum`
///   prints serves. Where it does not begin with `.`, `-` or `_`, it is the name of a list in
///   the same folder (`sha256sums`), in which the line with the file's name counts.
/// * `signature` alone: a usign signature (ed25519) over the file itself, at the file's URL with
///   this text after its path; for files up to [`MAX_SIGNED`].
/// * both: the signature is that of the sum or list (`…/image.bin.sha256.sig`,
///   `…/sha256sums.sig`), as OpenWrt publishes its images.
///
/// They come from the same server with the same credentials; the URL's query is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verify {
    /// Where the SHA-256 sum is.
    pub sha256: Option<String>,
    /// Where the signature is, from what it signs.
    pub signature: Option<String>,
    /// The folder of public keys, each in a file named by its id (16 hex digits); `None`:
    /// [`DEFAULT_KEYS`]. A real path (root included).
    pub keys: Option<PathBuf>,
}

/// Largest sum or list of sums read, bytes. The list of one of OpenWrt's targets has about
/// 100 KiB.
const MAX_LIST: u64 = 256 * 1024;
/// Whether this program checks signatures.
///
/// # Errors
/// What to tell whoever has asked for one.
pub fn signatures() -> Result<(), &'static str> {
    match usign::PRESENT {
        true => Ok(()),
        false => Err(
            "signature: this program was built without TLS (the cargo feature `tls`) and checks \
             none; take one that has it, or write sha256 alone",
        ),
    }
}

/// Longest name or suffix, bytes.
const MAX_NAME: usize = 64;

impl Verify {
    /// Whether the texts can be used, for the one who reads them.
    ///
    /// # Errors
    /// What is wrong and how to mend it.
    pub fn check(&self) -> Result<(), String> {
        for (key, text) in [("sha256", &self.sha256), ("signature", &self.signature)] {
            let Some(text) = text else { continue };
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'+');
            if text.is_empty() || text.len() > MAX_NAME || !text.bytes().all(plain) {
                return Err(format!(
                    "{key} = {text:?}: write letters, digits and . - _ +, at most {MAX_NAME}"
                ));
            }
        }
        if self.signature.is_some() {
            signatures()?;
        }
        if self
            .signature
            .as_deref()
            .is_some_and(|text| !is_suffix(text))
        {
            return Err("signature: write what comes after the name, such as \".sig\"".to_owned());
        }
        if self.keys.is_some() && self.signature.is_none() {
            return Err(
                "keys without signature: nothing would be signed; write signature = \".sig\""
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Whether there is nothing to check.
    pub fn is_none(&self) -> bool {
        self.sha256.is_none() && self.signature.is_none()
    }
}

/// Holds a fetched file against what `verify` names. `wire` is that of the file.
///
/// # Errors
/// [`TransferFault`] 9018: no sum, or another one; 9019: no signature, a wrong one, an
/// unknown key; 9015 and 9012 where the server cannot be reached for them any more.
pub fn verify(
    wire: &FileConfig,
    verify: &Verify,
    file: &Path,
    fetched: &Fetched,
    stop: &Stop,
) -> Result<(), TransferFault> {
    let result = Check { wire, verify, stop }.run(file, fetched);
    stop.watch(None);
    result
}

struct Check<'a> {
    wire: &'a FileConfig,
    verify: &'a Verify,
    stop: &'a Stop,
}

impl Check<'_> {
    fn run(&self, file: &Path, fetched: &Fetched) -> Result<(), TransferFault> {
        let signature = self.verify.signature.as_deref();
        match &self.verify.sha256 {
            Some(name) => self.sum(name, signature, fetched),
            None => match signature {
                Some(suffix) => self.signed_file(suffix, file, fetched),
                None => Ok(()),
            },
        }
    }

    /// The sum, and its signature before it is believed.
    fn sum(
        &self,
        name: &str,
        signature: Option<&str>,
        fetched: &Fetched,
    ) -> Result<(), TransferFault> {
        let own = &self.wire.url;
        let suffix = is_suffix(name);
        let url = match suffix {
            true => beside(own, |path| format!("{path}{name}")),
            false => beside(own, |path| format!("{}{name}", folder(path))),
        };
        let url = url.ok_or_else(|| fault(CORRUPTED, format!("no URL with {name} in its path")))?;
        let text = self.small(&url, MAX_LIST, CORRUPTED, "SHA-256 sum")?;
        if let Some(suffix) = signature {
            self.signed(&url, suffix, &text)?;
        }
        let text = String::from_utf8_lossy(&text);
        let found = match suffix {
            true => sums::of_text(&text),
            false => sums::in_list(&text, &file_name(own)),
        };
        let shown = url.shown();
        match found {
            Some(sum) if sum == fetched.sha256 => Ok(()),
            Some(sum) => Err(fault(
                CORRUPTED,
                format!(
                    "the file's SHA-256 is {}, not {} as {shown} says",
                    hex(&fetched.sha256),
                    hex(&sum)
                ),
            )),
            None => Err(fault(
                CORRUPTED,
                format!("{shown} holds no SHA-256 sum of the file"),
            )),
        }
    }

    fn signed_file(
        &self,
        suffix: &str,
        file: &Path,
        fetched: &Fetched,
    ) -> Result<(), TransferFault> {
        // Before anything is fetched or read for it.
        if fetched.size > MAX_SIGNED {
            return Err(fault(
                UNAUTHENTIC,
                format!(
                    "the signature of a file of more than {MAX_SIGNED} bytes is not checked; sign its SHA-256 sum and set sha256, too"
                ),
            ));
        }
        let message = read(file, MAX_SIGNED)
            .map_err(|e| fault(UNAUTHENTIC, format!("the file cannot be read: {e}")))?;
        self.signed(&self.wire.url, suffix, &message)
    }

    /// Whether what is at this URL, with the suffix, signs the message.
    fn signed(&self, url: &Url, suffix: &str, message: &[u8]) -> Result<(), TransferFault> {
        let bad = |why: String| fault(UNAUTHENTIC, why);
        signatures().map_err(|e| bad(e.to_owned()))?;
        let url = beside(url, |path| format!("{path}{suffix}"))
            .ok_or_else(|| bad(format!("no URL with {suffix} after its path")))?;
        let text = self.small(&url, usign::MAX_TEXT, UNAUTHENTIC, "signature")?;
        let shown = url.shown();
        let signature = std::str::from_utf8(&text).ok().and_then(Signature::parse);
        let signature =
            signature.ok_or_else(|| bad(format!("{shown} is no signature of usign")))?;
        let id = hex(&signature.id);
        let folder = self.verify.keys.as_deref();
        let path = folder.unwrap_or(Path::new(DEFAULT_KEYS)).join(&id);
        let key = match read(&path, usign::MAX_TEXT) {
            Ok(text) => std::str::from_utf8(&text).ok().and_then(PublicKey::parse),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(bad(format!("{shown} is signed with the unknown key {id}")));
            }
            Err(e) => return Err(bad(format!("{}: {e}", path.display()))),
        };
        let key = key.ok_or_else(|| bad(format!("{} is no key of usign", path.display())))?;
        match key.made(&signature, message) {
            true => Ok(()),
            false => Err(bad(format!("the signature {shown} is wrong"))),
        }
    }

    /// A small text as a whole. That it is not to be had is told with `code`.
    fn small(&self, url: &Url, max: u64, code: u16, what: &str) -> Result<Vec<u8>, TransferFault> {
        let told = |error: &FileError| match of_download(error) {
            of if of.code == ACCESS => {
                fault(code, format!("no {what} at {}: {error}", url.shown()))
            }
            of => of,
        };
        let wire = FileConfig {
            url: url.clone(),
            ..self.wire.clone()
        };
        let mut client = FileClient::new(wire).map_err(|e| told(&e))?;
        self.stop.watch(Some(client.aborter()));
        let mut incoming = client.get(None).map_err(|e| told(&e))?;
        let mut text = Vec::new();
        let mut buffer = [0; 2048];
        loop {
            let count = incoming.read(&mut buffer).map_err(|e| told(&e))?;
            if count == 0 {
                return Ok(text);
            }
            text.extend_from_slice(buffer.get(..count).unwrap_or_default());
            if text.len() as u64 > max {
                let shown = url.shown();
                return Err(fault(
                    code,
                    format!("{shown} is no {what}: larger than {max} bytes"),
                ));
            }
        }
    }
}

/// Whether a text goes after a name rather than in its place.
fn is_suffix(text: &str) -> bool {
    text.starts_with(['.', '-', '_'])
}

/// The URL with another path and the same query.
fn beside(url: &Url, path: impl Fn(&str) -> String) -> Option<Url> {
    let changed = path(url.path());
    let query = url.target().strip_prefix(url.path())?;
    let server = url.to_string();
    let server = server.strip_suffix(url.target())?;
    Url::parse(&format!("{server}{changed}{query}")).ok()
}

/// A path up to its last slash.
fn folder(path: &str) -> &str {
    path.rfind('/')
        .and_then(|slash| path.get(..=slash))
        .unwrap_or("/")
}

/// The name after the last slash of a URL's path, without its escapes.
fn file_name(url: &Url) -> String {
    let path = url.path();
    let name = path.strip_prefix(folder(path)).unwrap_or(path).as_bytes();
    let mut bytes = Vec::with_capacity(name.len());
    let mut at = 0;
    while let Some(byte) = name.get(at) {
        let escaped = name
            .get(at + 1..at + 3)
            .filter(|_| *byte == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(sums::unhex::<1>);
        match escaped {
            Some([byte]) => {
                bytes.push(byte);
                at += 3;
            }
            None => {
                bytes.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A file of at most so many bytes.
fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::other(format!("larger than {max} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn what_lies_beside_a_file_has_its_query() {
        let suffix = |text: &str| beside(&url(text), |path| format!("{path}.sig"));
        let shown = |text: &str| suffix(text).map(|u| u.to_string());
        assert_eq!(
            shown("http://a/x/y.bin").as_deref(),
            Some("http://a/x/y.bin.sig")
        );
        assert_eq!(
            shown("https://[::1]:8/y?key=/1?2").as_deref(),
            Some("https://[::1]:8/y.sig?key=/1?2")
        );
        let list = beside(&url("http://a/x/y.bin?k"), |path| {
            format!("{}sha256sums", folder(path))
        });
        assert_eq!(list, Some(url("http://a/x/sha256sums?k")));
        for (at, name) in [
            ("http://a/x/y%20z.bin?q=/n", "y z.bin"),
            ("http://a", ""),
            ("http://a/%zz%4", "%zz%4"),
        ] {
            assert_eq!(file_name(&url(at)), name);
        }
    }

    #[test]
    fn what_cannot_be_a_name_is_said_when_it_is_read() {
        let verify = |sha256: Option<&str>, signature: Option<&str>, keys: Option<&str>| Verify {
            sha256: sha256.map(str::to_owned),
            signature: signature.map(str::to_owned),
            keys: keys.map(PathBuf::from),
        };
        for good in [
            verify(None, None, None),
            verify(Some(".sha256"), None, None),
            verify(Some("sha256sums"), Some(".sig"), Some("/etc/keys")),
            verify(None, Some("-usign"), None),
        ] {
            let checkable = good.signature.is_none() || usign::PRESENT;
            assert_eq!(good.check().is_ok(), checkable, "{good:?}");
        }
        for bad in [
            verify(Some(""), None, None),
            verify(Some("a/b"), None, None),
            verify(Some("../sums"), None, None),
            verify(Some(".sum?x"), None, None),
            verify(None, Some("sig"), None),
            verify(None, Some(".\u{e4}"), None),
            verify(Some(".sha256"), None, Some("/etc/keys")),
            verify(Some(&"x".repeat(65)), None, None),
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
