//! A file is used only if it is the one its vendor made.

mod files;
mod scratch;

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cwmp_agent::cwmp::message::TransferFault;
use cwmp_agent::net::auth::digest::Algorithm;
use cwmp_agent::net::file::FileConfig;
use cwmp_agent::net::url::Url;
use cwmp_agent::transfer::fetch::{FetchJob, fetch};
use cwmp_agent::transfer::progress::{Progress, Stop};
use cwmp_agent::transfer::verify::{Verify, verify};
use files::{FileServer, Guard, Served, Trick, pattern, pattern_sha256};
use ring::signature::{Ed25519KeyPair, KeyPair};
use scratch::Scratch;

const SIZE: u64 = 100_000;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A vendor who signs.
struct Vendor {
    pair: Ed25519KeyPair,
    id: [u8; 8],
}

impl Vendor {
    fn new(seed: u8) -> Vendor {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed");
        Vendor {
            pair,
            id: [seed, 0xca, 0xfe, 0, 1, 2, 3, 0xff],
        }
    }

    fn text(&self, rest: &[u8]) -> String {
        let bytes = [b"Ed", &self.id[..], rest].concat();
        format!("untrusted comment: a test\n{}\n", STANDARD.encode(bytes))
    }

    fn sign(&self, message: &[u8]) -> String {
        self.text(self.pair.sign(message).as_ref())
    }

    fn publish(&self, scratch: &Scratch) {
        let name = format!("keys/{}", hex(&self.id));
        scratch.file(&name, &self.text(self.pair.public_key().as_ref()));
    }
}

/// A file that was fetched from a server, and what it is held against.
struct Case {
    server: FileServer,
    scratch: Scratch,
    size: u64,
    verify: Verify,
}

impl Case {
    fn new(sha256: Option<&str>, signature: Option<&str>) -> Case {
        let server = FileServer::start();
        let scratch = Scratch::new();
        Vendor::new(1).publish(&scratch);
        let verify = Verify {
            sha256: sha256.map(str::to_owned),
            signature: signature.map(str::to_owned),
            keys: Some(scratch.path("keys")),
        };
        let can_check = cfg!(feature = "tls");
        assert_eq!(verify.check().is_ok(), signature.is_some() && can_check);
        Case {
            server,
            scratch,
            size: SIZE,
            verify,
        }
    }

    fn has(&self, name: &str, text: impl Into<Vec<u8>>) {
        self.server.serve(name, Served::bytes(text));
    }

    fn run(&self) -> Result<(), TransferFault> {
        self.server.serve("/d/fw.bin", Served::pattern(self.size));
        let wire = self.wire();
        let (into, stop) = (self.file(), Stop::default());
        let job = FetchJob {
            into: &into,
            file_size: 0,
            max: u64::MAX,
            keep_free: 0,
        };
        let fetched = fetch(wire.clone(), &job, &Progress::default(), &stop).expect("fetched");
        verify(&wire, &self.verify, &into, &fetched, &stop)
    }

    fn file(&self) -> PathBuf {
        self.scratch.path("image")
    }

    fn wire(&self) -> FileConfig {
        let mut wire =
            FileConfig::new(Url::parse(&self.server.url("/d/fw.bin?token=1")).expect("a URL"));
        wire.username = "u".to_owned();
        wire.password = "p".to_owned();
        wire
    }

    #[track_caller]
    fn fails(&self, code: u16) -> String {
        let fault = self.run().expect_err("a fault");
        assert_eq!(fault.code, code, "{}", fault.text);
        assert!(!fault.text.contains("token") && fault.text.chars().count() <= 256);
        fault.text
    }
}

fn sum() -> String {
    hex(&pattern_sha256(SIZE))
}

#[test]
fn nothing_to_check_asks_nothing() {
    let case = Case::new(None, None);
    assert!(case.verify.is_none());
    assert_eq!(case.run(), Ok(()));
    assert_eq!(case.server.requests().len(), 1);
}

// T-DLD-007
#[test]
fn a_sum_beside_the_file_must_be_the_files() {
    let case = Case::new(Some(".sha256"), None);
    assert!(case.fails(9018).contains("404"), "there is none");
    let sums = "/d/fw.bin.sha256";
    case.has(sums, format!("{}  build/out/fw.bin\n", sum()));
    assert_eq!(case.run(), Ok(()));
    let last = case.server.requests().pop().expect("a request");
    assert_eq!(last.target, "/d/fw.bin.sha256?token=1");
    case.has(sums, sum().to_uppercase());
    assert_eq!(case.run(), Ok(()));
    for bad in [
        sum().replacen(|c| c != '0', "0", 1),
        sum()[..63].to_owned(),
        format!("{}0", sum()),
        String::new(),
        "<html>not found</html>".to_owned(),
        "0".repeat(300_000),
    ] {
        case.has(sums, bad);
        case.fails(9018);
    }
    let endless = Served::nothing().always(Trick::Endless);
    case.server.serve(sums, endless);
    assert!(case.fails(9018).contains("larger"));
}

#[test]
fn a_list_in_the_same_folder_is_asked_by_name() {
    let case = Case::new(Some("sha256sums"), None);
    let zero = "0".repeat(64);
    case.has(
        "/d/sha256sums",
        format!("{zero} *other.bin\n{} *fw.bin\n", sum()),
    );
    assert_eq!(case.run(), Ok(()));
    case.has("/d/sha256sums", format!("{} *other.bin\n", sum()));
    assert!(case.fails(9018).contains("no SHA-256 sum of the file"));
    case.has("/d/sha256sums", format!("{zero}  fw.bin\n"));
    case.fails(9018);
}

// T-DLD-007
#[test]
#[cfg(feature = "tls")]
fn a_signature_must_be_of_a_known_key_and_of_this_file() {
    let case = Case::new(None, Some(".sig"));
    assert!(case.fails(9019).contains("404"), "there is none");
    let (good, unknown) = (Vendor::new(1), Vendor::new(2));
    let message = pattern(0, SIZE);
    let at = "/d/fw.bin.sig";
    case.has(at, good.sign(&message));
    assert_eq!(case.run(), Ok(()));
    case.has(at, good.sign(&message[1..]));
    assert!(case.fails(9019).contains("wrong"));
    case.has(at, unknown.sign(&message));
    assert!(case.fails(9019).contains(&hex(&unknown.id)));
    // The name of a known key does not make a signature of it.
    let forged = Vendor {
        pair: Vendor::new(2).pair,
        id: good.id,
    };
    case.has(at, forged.sign(&message));
    case.fails(9019);
    for bad in [String::new(), "nonsense".to_owned(), "x".repeat(10_000)] {
        case.has(at, bad);
        case.fails(9019);
    }
    case.scratch
        .file(&format!("keys/{}", hex(&good.id)), "nonsense");
    case.has(at, good.sign(&message));
    assert!(case.fails(9019).contains("no key of usign"));
}

#[test]
#[cfg(feature = "tls")]
fn a_large_file_needs_a_signed_sum() {
    let mut case = Case::new(None, Some(".sig"));
    case.size = cwmp_agent::transfer::verify::MAX_SIGNED;
    let message = pattern(0, cwmp_agent::transfer::verify::MAX_SIGNED + 1);
    case.has(
        "/d/fw.bin.sig",
        Vendor::new(1).sign(&message[..message.len() - 1]),
    );
    assert_eq!(case.run(), Ok(()));
    case.size = cwmp_agent::transfer::verify::MAX_SIGNED + 1;
    case.has("/d/fw.bin.sig", Vendor::new(1).sign(&message));
    assert!(case.fails(9019).contains("sign its SHA-256 sum"));
}

#[test]
#[cfg(feature = "tls")]
fn a_signed_sum_is_believed_only_with_its_signature() {
    for (name, at) in [
        (".sha256", "/d/fw.bin.sha256"),
        ("sha256sums", "/d/sha256sums"),
    ] {
        let case = Case::new(Some(name), Some(".sig"));
        let list = format!("{} *fw.bin\n", sum());
        case.has(at, list.clone());
        case.fails(9019);
        let sig = format!("{at}.sig");
        case.has(&sig, Vendor::new(1).sign(list.as_bytes()));
        assert_eq!(case.run(), Ok(()), "{name}");
        // A signature of the file itself is none of the list.
        case.has(&sig, Vendor::new(1).sign(&pattern(0, SIZE)));
        case.fails(9019);
        // Rightly signed, of another file.
        let other = format!("{}  fw.bin\n", "0".repeat(64));
        case.has(at, other.clone());
        case.has(&sig, Vendor::new(1).sign(other.as_bytes()));
        case.fails(9018);
        // Without a sum there is nothing to sign.
        case.server
            .serve(at, Served::nothing().always(Trick::Status(404)));
        case.fails(9018);
    }
}

#[test]
#[cfg(not(feature = "tls"))]
fn a_signature_that_cannot_be_checked_does_not_hold() {
    for sum_too in [None, Some(".sha256")] {
        let case = Case::new(sum_too, Some(".sig"));
        assert!(case.verify.check().unwrap_err().contains("without TLS"));
        case.has("/d/fw.bin.sha256", sum());
        let file = String::from_utf8(pattern(0, SIZE)).unwrap_or_default();
        for signed in ["/d/fw.bin", "/d/fw.bin.sha256"] {
            let text = Vendor::new(1).sign(file.as_bytes());
            case.has(&format!("{signed}.sig"), text);
        }
        assert!(case.fails(9019).contains("without TLS"));
    }
}

#[test]
fn the_server_may_want_the_same_credentials_and_may_be_gone() {
    let case = Case::new(Some(".sha256"), None);
    let guarded = |user: &str| {
        let text = sum();
        Served::bytes(text).guard(Guard::digest(Algorithm::Md5, user, "p"))
    };
    case.server.serve("/d/fw.bin.sha256", guarded("u"));
    assert_eq!(case.run(), Ok(()));
    case.server
        .serve("/d/fw.bin.sha256", guarded("somebody else"));
    case.fails(9012);
    let hangup = Served::nothing().always(Trick::Hangup);
    case.server.serve("/d/fw.bin.sha256", hangup);
    case.fails(9017);
    // A redirect to where nothing listens.
    let gone = Served::redirect(302, "http://127.0.0.1:1/sum");
    case.server.serve("/d/fw.bin.sha256", gone);
    case.fails(9015);
}
