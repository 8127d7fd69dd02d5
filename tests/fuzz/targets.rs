//! What each fuzz target does with its bytes.
//!
//! These functions are shared: `fuzz_targets/` hands them what libFuzzer invents,
//! `tests/fuzz_corpus.rs` hands them the seeds and every input that ever broke something.
//! A function returns for good and bad input alike; it panics only where a promise is
//! broken.

mod play;

use cwmp_agent::cwmp::fault::Fault;
use cwmp_agent::cwmp::soap::{self, AcsMessage, Heading};
use cwmp_agent::cwmp::version::CwmpVersion;
use cwmp_agent::model::facets::{Facets, join_list, split_list};
use cwmp_agent::model::pattern::Pattern;
use cwmp_agent::model::{Path, Schema, named};
use cwmp_agent::net::auth::challenge;
use cwmp_agent::net::auth::server::{Credentials, Gate, Verdict};
use cwmp_agent::net::cookies::{Jar, Moment};
use cwmp_agent::net::url::Url;
use cwmp_agent::transfer::archive;
use cwmp_agent::transfer::configuration::Restore;
use cwmp_agent::ubus::blob::{MAX_BYTES, MAX_VALUES, Walk};
use cwmp_agent::ubus::message::{self, Body};
use cwmp_agent::ubus::{BlobError, json};
use cwmp_agent::uci::{Package, Value};
use cwmp_agent::wake::dhcp;
use cwmp_agent::wake::http::{Limits, Listener, ListenerConfig};
use flate2::Compression;
use flate2::write::GzEncoder;
use nix::sys::socket::{setsockopt, sockopt};
use std::cell::RefCell;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

/// Sessions with a small router in memory, whose sources and disk fail now and then: the
/// bytes say what the ACS says; see [`play`].
pub fn sessions_in_memory(data: &[u8]) {
    play::in_memory(data, &mut |_| {});
}

/// Sessions with the sample router: real files, real data model.
pub fn sessions_on_files(data: &[u8]) {
    play::on_files(data, &mut |_| {});
}

/// Any bytes in any state file: the agent starts, and what it writes then it can read.
pub fn state_files(data: &[u8]) {
    play::state_files(data);
}

/// A package read and written back is the same bytes; after each of a few edits it reads
/// back with the edit in it, and everything else as it was.
pub fn uci_parse_edit(data: &[u8]) {
    // Which edits, where, the value up to a NUL, the file.
    let Some((&[mut what, place], rest)) = data.split_first_chunk::<2>() else {
        return;
    };
    let (value, text) = match rest.iter().position(|b| *b == 0) {
        Some(cut) => (&rest[..cut], &rest[cut + 1..]),
        None => (&rest[..0], rest),
    };
    let value = String::from_utf8_lossy(value).into_owned();

    let Ok(mut package) = Package::parse(text) else {
        return;
    };
    assert_eq!(package.to_bytes(), text, "untouched lines stay as they are");
    let mut at = usize::from(place & 0x7f);
    loop {
        if package.sections().is_empty() {
            return;
        }
        at %= package.sections().len();
        let section = &package.sections()[at];
        let known = section.options().next().filter(|_| place & 0x80 != 0);
        let option = known.map_or("fuzzed", |(name, _)| name).to_owned();
        uci_edit(&mut package, what % 6, at, &option, &value);
        what /= 6;
        if what == 0 {
            return;
        }
        at += usize::from(place);
    }
}

fn uci_edit(package: &mut Package, what: u8, at: usize, option: &str, value: &str) {
    let text = package.to_bytes();
    let mut others = meaning(package);
    let edited = match what {
        0 => package.set(at, option, value),
        1 => package.set_list(at, option, &[value.to_owned(), "second".to_owned()]),
        2 => package.add_list(at, option, value),
        3 => package.delete_option(at, option),
        4 => package.delete_section(at),
        _ => package
            .add_section("fuzzed", Some("fuzzed_section"))
            .map(drop),
    };
    if edited.is_err() {
        assert_eq!(package.to_bytes(), text, "a refused edit changes nothing");
        return;
    }
    let written = package.to_bytes();
    let again = match Package::parse(&written) {
        Ok(again) => again,
        Err(e) => panic!(
            "what was written cannot be read: {e}\n{}",
            written.escape_ascii()
        ),
    };
    let mut now = meaning(&again);
    assert_eq!(now, meaning(package), "{}", written.escape_ascii());
    if what < 4 {
        let left: Vec<_> = now[at]
            .2
            .iter()
            .filter(|(name, _)| name != option)
            .collect();
        let stayed = others[at].2.iter().filter(|(name, _)| name != option);
        assert!(stayed.eq(left), "{}", written.escape_ascii());
        let gone = what == 3 || (what == 0 && value.is_empty());
        let has = again.sections()[at].get(option).cloned();
        assert_eq!(has.is_none(), gone, "{}", written.escape_ascii());
        if what == 0 && !gone {
            assert_eq!(has, Some(Value::One(value.to_owned())));
        }
        now.remove(at);
    }
    if what < 5 {
        others.remove(at);
    } else {
        now.pop();
    }
    assert_eq!(now, others, "{}", written.escape_ascii());
}

type Meaning = Vec<(String, Option<String>, Vec<(String, Value)>)>;

fn meaning(package: &Package) -> Meaning {
    let mut sections = Meaning::new();
    for section in package.sections() {
        let options = section.options();
        let options = options.map(|(name, value)| (name.to_owned(), value.clone()));
        sections.push((
            section.kind().to_owned(),
            section.name().map(str::to_owned),
            options.collect(),
        ));
    }
    sections
}

/// Any bytes are read or refused; what was read, its ID above all, goes out again in
/// well-formed XML; a session that gets them for replies (cut at each NUL) ends.
pub fn soap_read(data: &[u8]) {
    cwmp_agent::cwmp::fuzz::play_session(data);
    let limits = soap::Limits {
        nodes: 4096,
        ..soap::Limits::default()
    };
    match soap::read_acs_message(data, &limits) {
        Ok(AcsMessage::Envelope(envelope)) => {
            let heading = Heading {
                version: envelope.version.unwrap_or(CwmpVersion::V1_0),
                id: envelope.id.clone(),
                cap: 1 << 20,
            };
            let hostile = String::from_utf8_lossy(data);
            let fault = Fault::new(9003, hostile.as_ref());
            if let Ok(written) = soap::write_cpe_fault(&heading, &fault) {
                well_formed(&written);
            }
            // Debug must hold for everything that can be read: it goes into logs.
            let _ = format!("{envelope:?}");
        }
        Ok(_) => {}
        Err(e) => assert!(!e.to_string().is_empty()),
    }
}

fn well_formed(written: &[u8]) {
    let text = std::str::from_utf8(written).expect("we write UTF-8");
    if let Err(e) = roxmltree::Document::parse(text) {
        panic!("what was written is not XML: {e}\n{text}");
    }
}

/// What is accepted as a value has one form that is accepted again; paths, lists and
/// patterns survive any text.
pub fn path_and_value(data: &[u8]) {
    let Some((&which, rest)) = data.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(rest);

    let names = named::names().count();
    let ty = named::names().nth(usize::from(which) % names);
    if let Some(ty) = ty.and_then(named::find) {
        let facets = Facets::of(ty);
        match facets.check(&text) {
            Ok(canonical) => assert_eq!(facets.check(&canonical), Ok(canonical)),
            Err(what) => assert!(!what.is_empty()),
        }
    }
    match Path::parse(&text) {
        Ok(path) => assert_eq!(path.to_string(), text),
        Err(what) => assert!(!what.to_string().is_empty()),
    }
    let items = split_list(&text);
    let joined = join_list(items.iter().map(String::as_str));
    assert_eq!(split_list(&joined), items, "{joined:?}");

    // A pattern, a line feed, a value; libFuzzer's time-out holds it to linear time.
    if let Some((pattern, value)) = text.split_once('\n')
        && let Ok(pattern) = Pattern::compile(pattern)
    {
        let _ = pattern.matches(value);
    }
}

/// A data-model file is taken or refused with places and reasons; what was taken can be
/// found by its path and its defaults are values of its types.
pub fn data_model_toml(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let lines = u32::try_from(text.split('\n').count()).unwrap_or(u32::MAX);
    match Schema::load(&[("fuzz.toml".to_owned(), text)]) {
        Ok(schema) => {
            for parameter in schema.parameters() {
                let path = parameter.path();
                assert!(schema.parameter(&path).is_some(), "{path} is lost");
                if let Some(default) = parameter.default() {
                    let again = parameter.facets().check(default);
                    assert_eq!(again.as_deref(), Ok(default), "{path}");
                }
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            for e in errors {
                assert!(e.line >= 1 && e.line <= lines, "{e} of {lines} lines");
                assert!(!e.what.is_empty());
            }
        }
    }
}

/// What an ACS puts into its response headers: challenges, cookies, redirects.
pub fn http_fields(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let base = lines.next().unwrap_or_default();
    let Ok(base) = Url::parse(base).or_else(|_| Url::parse("https://acs.example/cwmp/1?x")) else {
        return;
    };
    let _ = challenge::parse(lines.clone());
    let mut jar = Jar::new();
    let at = Moment { wall: 1, now: 1 };
    for line in lines {
        let _ = challenge::next_nonce(line);
        jar.store(line, &base, at);
        if let Ok(there) = base.join(line) {
            assert!(!there.target().contains(['\r', '\n', ' ']), "{line:?}");
            assert!(!there.host_header().contains(['\r', '\n', ' ']), "{line:?}");
            let _ = jar.header(&there, at);
        }
    }
    if let Some(header) = jar.header(&base, at) {
        assert!(!header.contains(['\r', '\n']), "{header:?}");
    }
}

/// What a DHCP server says of the ACS, in any octets: what is taken is of its kind, whole,
/// and was there.
pub fn dhcp_options(data: &[u8]) {
    let Some((&which, octets)) = data.split_first() else {
        return;
    };
    let (first, second) = octets.split_at(octets.len() / 2);
    let said = match which % 4 {
        0 => dhcp::option_43(octets),
        1 => dhcp::option_125(octets),
        2 => dhcp::option_17(octets),
        _ => {
            let both = (dhcp::option_43(first), dhcp::option_125(second));
            let said = dhcp::preferred(Some(both.0.clone()), Some(both.1.clone()), &[which]);
            let is_one = [both.0.answer, both.1.answer].contains(&said.answer);
            assert!(is_one, "two answers are never mixed");
            said
        }
    };
    let there = |text: &str| octets.windows(text.len()).any(|w| w == text.as_bytes());
    if let Some(url) = &said.answer.url {
        assert!(Url::parse(url).is_ok() && url.is_ascii(), "{url:?}");
        assert!(there(url), "{url:?} was never said");
    }
    if let Some(code) = &said.answer.provisioning_code {
        assert!(code.chars().count() <= 64 && !code.chars().any(char::is_control));
        assert!(there(code), "{code:?} was never said");
    }
    assert!(said.answer.minimum_wait.is_none_or(|n| n >= 1));
    assert!(said.answer.multiplier.is_none_or(|n| n >= 1000));
    for left_out in &said.left_out {
        let text = left_out.to_string();
        assert!(text.is_ascii() && text.len() < 200, "{text:?}");
    }
    // As a client's script would write it, and as anything else.
    let digits: String = octets.iter().map(|b| format!("{b:02x}")).collect();
    let read = dhcp::octets(&digits);
    let fits = !octets.is_empty() && octets.len() <= dhcp::MAX_OPTION;
    assert_eq!(read.as_deref(), fits.then_some(octets));
    let _ = dhcp::octets(&String::from_utf8_lossy(octets));
}

/// Any bytes as an archive: what is read keeps to its promises and limits, what is unpacked
/// lies in its folder, and what is refused leaves nothing. The first byte says whether
/// checksums are made right before (no search finds them) and whether it is gzipped; what
/// is unpacked is also read as a configuration.
pub fn archive_read(data: &[u8]) {
    let Some((&how, bytes)) = data.split_first() else {
        return;
    };
    let mut bytes = bytes.to_vec();
    if how & 1 != 0 {
        for block in bytes.as_chunks_mut::<512>().0 {
            if block[0] != 0 {
                block[148..156].fill(b' ');
                let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
                block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
    }
    if how & 2 != 0 {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&bytes).expect("memory");
        bytes = gzip.finish().expect("memory");
    }
    let limits = archive::Limits {
        entries: 32,
        total: 256 << 10,
        name: 300,
        depth: 8,
        ratio: 50,
    };
    read_archive(&bytes, limits);

    let dir = std::env::temp_dir().join(format!("cwmp-fuzz-archive-{}", std::process::id()));
    let (file, into) = (dir.join("file"), dir.join("into"));
    std::fs::create_dir_all(&dir).expect("a folder of its own");
    std::fs::write(&file, &bytes).expect("room for a small file");
    match archive::unpack(&file, &into, &limits, 0, &|| false) {
        Ok(found) => {
            assert!(found.entries <= limits.entries && found.bytes <= limits.total);
            assert!(archive::survey(&file, &limits).is_ok());
        }
        Err(e) => {
            assert!(!e.to_string().is_empty());
            assert!(!into.exists(), "{e}");
        }
    }
    let beside = std::fs::read_dir(&dir).expect("it is there").count();
    assert!(beside <= 2, "something lies outside");
    if let Err(fault) = Restore::read(&file, "network") {
        assert!(matches!(fault.code, 9010 | 9018), "{}", fault.text);
    }
    std::fs::remove_dir_all(&dir).expect("it is ours");
}

fn read_archive(bytes: &[u8], limits: archive::Limits) {
    let Ok(mut reader) = archive::Reader::new(bytes, limits) else {
        return;
    };
    let (mut entries, mut total) = (0, 0);
    while let Ok(Some(entry)) = reader.next() {
        let name = &entry.name;
        let parts: Vec<&str> = name.split('/').collect();
        assert!(
            !parts.iter().any(|p| matches!(*p, "" | "." | "..")),
            "{name:?}"
        );
        assert!(
            parts.len() <= limits.depth && name.len() <= limits.name,
            "{name:?}"
        );
        assert!(!name.contains(char::is_control), "{name:?}");
        assert!(entry.mode <= 0o777);
        entries += 1;
        total += entry.size;
        assert!(entries <= limits.entries && total <= limits.total);
        // Every other entry is passed over.
        if entries % 2 == 0 {
            match reader.content(1 << 20) {
                Ok(content) => assert_eq!(content.len() as u64, entry.size),
                Err(_) => {
                    assert!(
                        matches!(reader.next(), Ok(None)),
                        "it goes on after an error"
                    );
                    return;
                }
            }
        }
    }
    assert!(
        matches!(reader.next(), Ok(None)),
        "it goes on after its end"
    );
}

/// What comes from ubusd, in any bytes: messages end where they say, values are read or
/// refused within their bounds, and what was read can be written and read again.
pub fn ubus_blob(data: &[u8]) {
    // As one payload, and as a row of messages.
    ubus_payload(data);
    let mut rest = data;
    while let Ok(Some((_, length))) = message::frame(rest) {
        assert!((12..=message::LARGEST + 8).contains(&length));
        let Some((whole, after)) = rest.split_at_checked(length) else {
            return;
        };
        rest = after;
        if let Ok(body) = Body::read(whole) {
            let payloads = [body.data, body.signature];
            payloads.into_iter().flatten().for_each(ubus_payload);
        }
    }
}

fn ubus_payload(payload: &[u8]) {
    let steps = Walk::through(payload).count();
    assert!(steps <= 2 * MAX_VALUES + 1);
    let Ok(table) = json::table(payload) else {
        return;
    };
    match json::payload(&table) {
        Ok(written) => assert_eq!(json::table(&written).as_ref(), Ok(&table)),
        // Replacement characters are longer than what they replace, and a small number
        // is written in 32 bits.
        Err(e) => assert!(e == BlobError::Size || payload.len() > MAX_BYTES / 4, "{e}"),
    }
}

/// A stranger's bytes at the connection request listener, on a real loopback socket and
/// in two pieces: never a knock, and the listener is free again afterwards.
pub fn listener_head(data: &[u8]) {
    let Some((&cut, sent)) = data.split_first() else {
        return;
    };
    DOOR.with_borrow_mut(|door| {
        let text = String::from_utf8_lossy(sent);
        let verdict = door
            .gate
            .check(Some(&text), "GET", "/secret", &credentials(), door.now);
        assert_ne!(verdict, Verdict::Granted);

        let address = door.listener.addresses()[0];
        let mut stranger = TcpStream::connect(address).expect("loopback");
        // Leaves no port in TIME_WAIT: there are only so many.
        let reset = nix::libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        setsockopt(&stranger, sockopt::Linger, &reset).expect("a socket has this option");
        stranger
            .set_nonblocking(true)
            .expect("a socket has this mode");
        let (first, second) = sent.split_at(usize::from(cut).min(sent.len()));
        for piece in [first, second] {
            // Refused or cut off is an answer, too.
            let _ = stranger.write(piece);
            door.serve();
        }
        drop(stranger);
        door.serve();
        door.now += Duration::from_secs(60);
        door.listener.tick(door.now);
        assert_eq!(door.listener.connections(), 0);
    });
}

fn credentials() -> Credentials {
    Credentials {
        username: "knock".to_owned(),
        password: "knock-knock".to_owned(),
    }
}

struct Door {
    listener: Listener,
    gate: Gate,
    now: Instant,
}

thread_local! {
    static DOOR: RefCell<Door> = RefCell::new(Door::open());
}

impl Door {
    fn open() -> Door {
        let now = Instant::now();
        let config = ListenerConfig {
            addresses: vec![([127, 0, 0, 1], 0).into()],
            device: None,
            path: "/secret".to_owned(),
            credentials: credentials(),
            limits: Limits::default(),
            realm: "cpe".to_owned(),
            secret: [7; 32],
        };
        Door {
            listener: Listener::bind(config, now).expect("loopback has a free port"),
            gate: Gate::new([7; 32], "cpe", now),
            now,
        }
    }

    /// Everything that is to be done now.
    fn serve(&mut self) {
        for _ in 0..3 {
            let fds: Vec<RawFd> = self.listener.fds().map(|(fd, _)| fd.as_raw_fd()).collect();
            for fd in fds {
                let knock = self.listener.ready(fd, self.now);
                assert!(knock.is_none(), "a knock without the password");
            }
        }
    }
}
