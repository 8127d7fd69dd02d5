//! Files come onto the disk whole, or not at all, whatever the server does.

mod files;
mod net_support;
mod scratch;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use cwmp_agent::cwmp::message::TransferFault;
use cwmp_agent::net::auth::digest::Algorithm;
use cwmp_agent::net::file::{FileConfig, FileTimeouts};
use cwmp_agent::net::http::AllowBasic;
use cwmp_agent::net::url::Url;
use cwmp_agent::transfer::fetch::{FetchJob, Fetched, discard, fetch};
use cwmp_agent::transfer::progress::{Progress, Stop};
use files::{FileServer, Guard, Request, Served, Trick, pattern, pattern_sha256};
use scratch::Scratch;

const USER: &str = "router-7";
const PASSWORD: &str = "s3cret w0rd";
const SIZE: u64 = 300_000;

fn wire(url: &str) -> FileConfig {
    let mut wire = FileConfig::new(Url::parse(url).expect(url));
    wire.allow_basic = AllowBasic::Always;
    wire.resume_wait = Duration::from_millis(5);
    wire
}

fn with_password(url: &str) -> FileConfig {
    let mut wire = wire(url);
    wire.username = USER.to_owned();
    wire.password = PASSWORD.to_owned();
    wire
}

/// A place to fetch to, and what may come there.
struct Place {
    scratch: Scratch,
    file_size: u32,
    max: u64,
    keep_free: u64,
    progress: Progress,
    stop: Stop,
}

impl Place {
    fn new() -> Place {
        Place {
            scratch: Scratch::new(),
            file_size: 0,
            max: 100_000_000,
            keep_free: 0,
            progress: Progress::default(),
            stop: Stop::default(),
        }
    }

    fn path(&self) -> PathBuf {
        self.scratch.path("image")
    }

    fn fetch(&self, wire: FileConfig) -> Result<Fetched, TransferFault> {
        let into = self.path();
        let job = FetchJob {
            into: &into,
            file_size: self.file_size,
            max: self.max,
            keep_free: self.keep_free,
        };
        fetch(wire, &job, &self.progress, &self.stop)
    }

    /// The names in the folder.
    fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.scratch.dir()).expect("a folder");
        let names = entries.map(|e| e.expect("an entry").file_name());
        let mut names: Vec<String> = names.map(|n| n.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The fetch fails with this code and leaves nothing; its text.
    #[track_caller]
    fn fails(&self, wire: FileConfig, code: u16) -> String {
        let fault = self.fetch(wire).expect_err("a fault");
        assert_eq!(fault.code, code, "{}", fault.text);
        assert!(fault.text.chars().count() <= 256);
        for secret in [USER, PASSWORD, "token"] {
            assert!(!fault.text.contains(secret), "{}", fault.text);
        }
        assert_eq!(self.left(), Vec::<String>::new(), "{}", fault.text);
        fault.text
    }

    /// So many bytes of the pattern are here.
    #[track_caller]
    fn has(&self, fetched: &Fetched, size: u64) {
        assert_eq!(fetched.size, size);
        let bytes = std::fs::read(self.path()).expect("a file");
        assert!(bytes == pattern(0, size), "{} bytes", bytes.len());
        assert_eq!(fetched.sha256, pattern_sha256(size));
        assert_eq!(u64::from(self.progress.done()), size);
        assert_eq!(self.left(), ["image"]);
    }
}

fn ranges(server: &FileServer) -> Vec<Option<u64>> {
    server.requests().iter().map(Request::range).collect()
}

// T-DLD-001
#[test]
fn a_file_comes_whole_hashed_and_counted_for_its_owner_only() {
    let server = FileServer::start();
    server.serve("/fw.bin", Served::pattern(SIZE));
    let mut place = Place::new();
    place.file_size = SIZE as u32;
    let fetched = place
        .fetch(wire(&server.url("/fw.bin?token=1")))
        .expect("fetched");
    place.has(&fetched, SIZE);
    assert_eq!(u64::from(place.progress.total()), SIZE);
    let mode = std::fs::metadata(place.path())
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let requests = server.requests();
    let [request] = requests.as_slice() else {
        panic!("{requests:?}");
    };
    assert_eq!(request.target, "/fw.bin?token=1");
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert!(
        request
            .header("user-agent")
            .is_some_and(|a| a.starts_with("cwmp-agent/"))
    );
    for absent in ["authorization", "range", "if-range", "cookie"] {
        assert_eq!(request.header(absent), None);
    }
}

#[test]
fn an_empty_file_is_a_file_and_what_was_there_before_is_gone() {
    let server = FileServer::start();
    server.serve("/empty", Served::bytes(""));
    let place = Place::new();
    let target = place.scratch.file("elsewhere/target", "precious");
    std::os::unix::fs::symlink(&target, place.path()).expect("a link");
    let fetched = place.fetch(wire(&server.url("/empty"))).expect("fetched");
    assert_eq!(fetched.size, 0);
    assert_eq!(std::fs::read(place.path()).expect("a file"), b"");
    assert_eq!(place.scratch.read("elsewhere/target"), "precious");
}

// T-DLD-003
#[test]
fn basic_and_digest_are_answered_and_a_wrong_password_is_9012() {
    let guards = [
        Guard::basic(USER, PASSWORD),
        Guard::digest(Algorithm::Md5, USER, PASSWORD),
        Guard::digest(Algorithm::Sha256, USER, PASSWORD),
        Guard::AuthInt(USER.to_owned(), PASSWORD.to_owned()),
    ];
    for guard in guards {
        let server = FileServer::start();
        server.serve("/fw.bin", Served::pattern(SIZE).guard(guard.clone()));
        let url = server.url("/fw.bin?token=1");
        let place = Place::new();
        let fetched = place.fetch(with_password(&url)).expect("fetched");
        place.has(&fetched, SIZE);
        let requests = server.requests();
        assert_eq!(requests.len(), 2, "{guard:?}");
        assert_eq!(requests[0].header("authorization"), None);
        assert_eq!(requests[1].connection, 0, "the connection is kept");

        let mut wrong = with_password(&url);
        wrong.password = "guess".to_owned();
        Place::new().fails(wrong, 9012);
        let text = Place::new().fails(wire(&url), 9012);
        assert!(text.contains("no username"), "{text}");
    }
}

#[test]
fn basic_in_clear_is_for_those_who_permit_it() {
    let server = FileServer::start();
    server.serve(
        "/fw.bin",
        Served::pattern(10).guard(Guard::basic(USER, PASSWORD)),
    );
    let mut wire = with_password(&server.url("/fw.bin"));
    wire.allow_basic = AllowBasic::Tls;
    let text = Place::new().fails(wire, 9012);
    assert!(text.contains("allow_basic"), "{text}");
    assert!(
        server
            .requests()
            .iter()
            .all(|r| r.header("authorization").is_none())
    );
}

// T-DLD-019
#[test]
fn five_redirects_are_followed_and_six_or_a_circle_are_9016() {
    let server = FileServer::start();
    server.serve("/fw.bin", Served::pattern(SIZE));
    for (i, status) in [301, 302, 303, 307, 308].into_iter().enumerate() {
        let to = match i {
            4 => "fw.bin".to_owned(),
            _ => server.url(&format!("/{}", i + 1)),
        };
        server.serve(&format!("/{i}"), Served::redirect(status, to));
    }
    let place = Place::new();
    let fetched = place.fetch(wire(&server.url("/0"))).expect("fetched");
    place.has(&fetched, SIZE);
    assert_eq!(server.requests().len(), 6);

    server.serve("/more", Served::redirect(302, "/0"));
    let text = Place::new().fails(wire(&server.url("/more")), 9016);
    assert!(text.contains("more than 5"), "{text}");
    server.serve("/a", Served::redirect(302, "/b?token=2"));
    server.serve("/b", Served::redirect(302, "/a"));
    let text = Place::new().fails(wire(&server.url("/a")), 9016);
    assert!(text.contains("circle"), "{text}");
    for bad in ["ftp://host/x", "http://u:p@127.0.0.1/", "http://"] {
        server.serve("/bad", Served::redirect(302, bad));
        Place::new().fails(wire(&server.url("/bad")), 9016);
    }
    assert_eq!(
        Url::parse("http://user:pass@host/x").map_err(|e| e.to_string().contains("user")),
        Err(true)
    );
}

#[test]
fn credentials_stay_with_the_server_that_the_url_names() {
    for guard in [
        Guard::basic(USER, PASSWORD),
        Guard::digest(Algorithm::Md5, USER, PASSWORD),
    ] {
        let (named, other) = (FileServer::start(), FileServer::start());
        let guarded = |served: Served| served.guard(guard.clone());
        named.serve("/a", guarded(Served::redirect(302, other.url("/open"))));
        named.serve("/b", guarded(Served::redirect(307, other.url("/guarded"))));
        named.serve("/c", guarded(Served::redirect(307, "/guarded")));
        named.serve("/guarded", guarded(Served::pattern(100)));
        other.serve("/open", Served::pattern(100));
        other.serve("/guarded", guarded(Served::pattern(100)));

        let place = Place::new();
        let fetched = place
            .fetch(with_password(&named.url("/a")))
            .expect("fetched");
        place.has(&fetched, 100);
        let text = Place::new().fails(with_password(&named.url("/b")), 9012);
        assert!(text.contains("no other server"), "{text}");
        assert!(!other.requests().is_empty());
        assert!(
            other
                .requests()
                .iter()
                .all(|r| r.header("authorization").is_none())
        );
        let place = Place::new();
        let fetched = place
            .fetch(with_password(&named.url("/c")))
            .expect("fetched");
        place.has(&fetched, 100);
    }
}

// T-DLD-004 T-DLD-005
#[test]
fn each_trouble_has_its_code() {
    let server = FileServer::start();
    for status in [204, 300, 400, 403, 404, 410, 429, 500, 503] {
        server.serve("/x", Served::nothing().always(Trick::Status(status)));
        let text = Place::new().fails(wire(&server.url("/x?token=1")), 9016);
        assert!(text.contains(&status.to_string()), "{text}");
    }
    let text = Place::new().fails(wire(&server.url("/absent")), 9016);
    assert!(text.contains("404"), "{text}");
    server.serve("/part", Served::pattern(10).always(Trick::Status(206)));
    Place::new().fails(wire(&server.url("/part")), 9017);
    server.serve("/gzip", Served::pattern(10).always(Trick::Coding("gzip")));
    let text = Place::new().fails(wire(&server.url("/gzip")), 9016);
    assert!(text.contains("gzip"), "{text}");
    server.serve(
        "/identity",
        Served::pattern(10).always(Trick::Coding("identity")),
    );
    Place::new()
        .fetch(wire(&server.url("/identity")))
        .expect("no coding");
    server.serve("/hangup", Served::nothing().always(Trick::Hangup));
    Place::new().fails(wire(&server.url("/hangup")), 9017);

    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = closed.local_addr().expect("an address");
    drop(closed);
    Place::new().fails(wire(&format!("http://{at}/x")), 9015);
    Place::new().fails(wire("http://nowhere.invalid/x"), 9015);
    Place::new().fails(wire("https://127.0.0.1:1/x"), 9015);
    let mut device = wire(&server.url("/identity"));
    device.device = Some("absent0".to_owned());
    Place::new().fails(device, 9015);
    let mut control = with_password(&server.url("/identity"));
    control.password = "a\nb".to_owned();
    let text = Place::new().fails(control, 9010);
    assert!(text.contains("password"), "{text}");
}

// T-DLD-018
#[test]
fn a_length_that_is_not_the_file_size_is_9018_before_the_body_comes() {
    let server = FileServer::start();
    // A body that never ends: only the head can tell in time.
    server.serve("/stall", Served::pattern(SIZE).always(Trick::Stall(0)));
    for size in [SIZE as u32 - 1, SIZE as u32 + 1] {
        let mut place = Place::new();
        place.file_size = size;
        place.fails(wire(&server.url("/stall")), 9018);
    }
    // Where the head does not tell, the body does; its end or the first byte too many.
    for trick in [Trick::Chunked, Trick::NoLength] {
        server.serve("/open", Served::pattern(SIZE).always(trick));
        for size in [SIZE as u32 - 1, SIZE as u32 + 1] {
            let mut place = Place::new();
            place.file_size = size;
            place.fails(wire(&server.url("/open")), 9018);
        }
        let mut place = Place::new();
        place.file_size = SIZE as u32;
        let fetched = place.fetch(wire(&server.url("/open"))).expect("fetched");
        place.has(&fetched, SIZE);
    }
}

#[test]
fn what_is_too_large_or_has_no_room_is_9010_and_takes_none() {
    let server = FileServer::start();
    server.serve("/stall", Served::pattern(SIZE).always(Trick::Stall(0)));
    server.serve("/endless", Served::pattern(SIZE).always(Trick::Endless));
    let url = server.url("/stall");
    let mut place = Place::new();
    place.max = SIZE - 1;
    let text = place.fails(wire(&url), 9010);
    assert!(text.contains("larger"), "{text}");
    place.fails(wire(&server.url("/endless")), 9010);
    assert_eq!(server.requests().len(), 2);
    // What the ACS says is believed without asking.
    place.file_size = SIZE as u32;
    place.fails(wire(&url), 9010);
    assert_eq!(server.requests().len(), 2);
    // Room: of a disk that is smaller than it all.
    let mut place = Place::new();
    place.keep_free = u64::MAX / 2;
    let text = place.fails(wire(&url), 9010);
    assert!(text.contains("room"), "{text}");
    assert_eq!(server.requests().len(), 2);
    let stat = nix::sys::statvfs::statvfs(place.scratch.dir()).expect("a disk");
    place.keep_free = 0;
    place.max = u64::MAX;
    let all = stat.blocks() as u64 * stat.fragment_size() as u64;
    server.serve("/huge", Served::pattern(all + 1).always(Trick::Stall(0)));
    let text = place.fails(wire(&server.url("/huge")), 9010);
    assert!(text.contains("room"), "{text}");
    // A folder that is not there.
    let job = FetchJob {
        into: &place.scratch.path("no/such/folder"),
        file_size: 0,
        max: 1,
        keep_free: 0,
    };
    let fault = fetch(wire(&url), &job, &place.progress, &place.stop);
    assert_eq!(fault.expect_err("no folder").code, 9010);
}

// T-DLD-006
#[test]
fn a_transfer_that_breaks_off_goes_on_where_it_ended() {
    let modified = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT";
    let date = "Date: Sun, 06 Nov 2022 08:49:37 GMT";
    let cut = |served: Served| {
        served
            .next(Trick::Cut(1))
            .next(Trick::Cut(123_456))
            .next(Trick::Hangup)
            .next(Trick::Status(503))
    };
    for served in [
        Served::pattern(SIZE).tag("\"v1\""),
        Served::pattern(SIZE).header(modified).header(date),
    ] {
        let server = FileServer::start();
        server.serve("/fw.bin", cut(served));
        let place = Place::new();
        let fetched = place.fetch(wire(&server.url("/fw.bin"))).expect("fetched");
        place.has(&fetched, SIZE);
        let all = Some(123_457);
        assert_eq!(ranges(&server), [None, Some(1), all, all, all]);
        let known = server.requests()[1].header("if-range").map(str::to_owned);
        let known = known.expect("a condition");
        assert!(known == "\"v1\"" || modified.ends_with(&known), "{known}");
    }
}

#[test]
fn a_cut_without_a_length_is_seen_where_it_can_be() {
    let server = FileServer::start();
    let served = Served::pattern(SIZE).tag("\"v1\"");
    server.serve("/fw.bin", served.next(Trick::ChunkedCut(1000)));
    let place = Place::new();
    let fetched = place.fetch(wire(&server.url("/fw.bin"))).expect("fetched");
    place.has(&fetched, SIZE);
    assert_eq!(ranges(&server), [None, Some(1000)]);
    // Over http the end of the connection is all there is: FileSize tells.
    let served = Served::pattern(SIZE).always(Trick::NoLengthCut(1000));
    server.serve("/open", served);
    let mut place = Place::new();
    place.file_size = SIZE as u32;
    place.fails(wire(&server.url("/open")), 9018);
}

#[test]
fn without_a_validator_or_with_a_new_one_it_begins_anew() {
    // A weak tag, and a date as young as the answer, say nothing of single bytes.
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    for served in [
        Served::pattern(SIZE),
        Served::pattern(SIZE).tag("W/\"v1\""),
        Served::pattern(SIZE)
            .header(&format!("Last-Modified: {date}"))
            .header(&format!("Date: {date}")),
    ] {
        let server = FileServer::start();
        server.serve("/fw.bin", served.next(Trick::Cut(200_000)));
        let place = Place::new();
        let fetched = place.fetch(wire(&server.url("/fw.bin"))).expect("fetched");
        place.has(&fetched, SIZE);
        assert_eq!(ranges(&server), [None, None]);
    }
    // Another file by now: its 200 begins it anew; so does a server that knows no parts.
    for second in ["\"v2\"", "\"v1\""] {
        let server = FileServer::start();
        let first = Served::bytes(vec![0; 1000]).tag("\"v1\"");
        let ignores = Served::pattern(SIZE).tag(second).next(Trick::IgnoreRange);
        server.serve("/fw.bin", first.next(Trick::Cut(500)));
        let mut place = Place::new();
        place.stop = Stop::default();
        let mut wire = wire(&server.url("/fw.bin"));
        wire.resumes = 0;
        assert_eq!(place.fetch(wire.clone()).expect_err("cut").code, 9017);
        server.serve("/fw.bin", ignores);
        let fetched = place.fetch(wire).expect("fetched");
        place.has(&fetched, SIZE);
        assert_eq!(ranges(&server), [None, Some(500)]);
    }
    // Shorter by now than the part that is here.
    let server = FileServer::start();
    let first = Served::bytes(vec![0; 1000]).tag("\"v1\"");
    server.serve("/fw.bin", first.next(Trick::Cut(500)));
    let place = Place::new();
    let mut wire = wire(&server.url("/fw.bin"));
    wire.resumes = 0;
    assert_eq!(place.fetch(wire.clone()).expect_err("cut").code, 9017);
    server.serve("/fw.bin", Served::pattern(100).tag("\"v1\""));
    let fetched = place.fetch(wire).expect("fetched");
    place.has(&fetched, 100);
    assert_eq!(ranges(&server), [None, Some(500), None]);
}

#[test]
fn a_part_that_was_not_asked_for_is_refused_and_nothing_is_kept_of_it() {
    for range in [
        "bytes 999-299999/300000",
        "bytes 1001-299999/300000",
        "bytes 1000-299999/300001",
        "bytes 1000-299998/300000",
        "bytes 1000-2999999/300000",
        "bytes */300000",
        "nonsense",
    ] {
        let server = FileServer::start();
        let served = Served::pattern(SIZE).tag("\"v1\"").next(Trick::Cut(1000));
        let trick = Trick::ContentRange(range.to_owned());
        server.serve("/fw.bin", served.always(trick));
        Place::new().fails(wire(&server.url("/fw.bin")), 9017);
        assert_eq!(server.requests().len(), 2, "{range}");
    }
}

#[test]
fn after_some_resumes_it_is_9017_and_the_next_fetch_goes_on() {
    let server = FileServer::start();
    let served = Served::pattern(SIZE).tag("\"v1\"");
    server.serve("/fw.bin", served.clone().always(Trick::Cut(10_000)));
    let place = Place::new();
    let url = server.url("/fw.bin?token=1");
    let fault = place.fetch(wire(&url)).expect_err("cut");
    assert_eq!(fault.code, 9017);
    assert_eq!(server.requests().len(), 5);
    assert_eq!(place.left(), ["image", "image.part"]);
    for name in place.left() {
        let mode = std::fs::metadata(place.scratch.path(&name)).expect("a file");
        assert_eq!(mode.permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert!(!place.scratch.read("image.part").contains("token"));
    // Unreachable meanwhile: what is here stays.
    let mut nowhere = wire(&url);
    nowhere.device = Some("absent0".to_owned());
    assert_eq!(place.fetch(nowhere).expect_err("no device").code, 9015);
    assert_eq!(place.left(), ["image", "image.part"]);
    // What a writer had added when the power went is not believed.
    let mut image = std::fs::OpenOptions::new();
    let image = image.append(true).open(place.path()).expect("a file");
    std::io::Write::write_all(&mut &image, &[0; 1000]).expect("written");
    server.serve("/fw.bin", served);
    let fetched = place.fetch(wire(&url)).expect("fetched");
    place.has(&fetched, SIZE);
    assert_eq!(ranges(&server).last(), Some(&Some(50_000)));
}

#[test]
fn a_part_that_is_not_what_its_note_says_is_fetched_anew() {
    let spoil: [&dyn Fn(&Place); 5] = [
        &|place| {
            let mut bytes = std::fs::read(place.path()).expect("a file");
            bytes[77] ^= 1;
            std::fs::write(place.path(), bytes).expect("written");
        },
        &|place| std::fs::write(place.path(), b"short").expect("written"),
        &|place| std::fs::remove_file(place.path()).expect("removed"),
        &|place| {
            let note = place.scratch.read("image.part");
            std::fs::write(place.scratch.path("image.part"), &note[..note.len() / 2]).expect("cut");
        },
        &|place| {
            let real = place.scratch.path("real");
            std::fs::rename(place.path(), &real).expect("renamed");
            std::os::unix::fs::symlink(&real, place.path()).expect("a link");
        },
    ];
    for (i, spoil) in spoil.iter().enumerate() {
        let server = FileServer::start();
        let served = Served::pattern(SIZE).tag("\"v1\"").next(Trick::Cut(10_000));
        server.serve("/fw.bin", served);
        let place = Place::new();
        let mut wire = wire(&server.url("/fw.bin"));
        wire.resumes = 0;
        assert_eq!(place.fetch(wire.clone()).expect_err("cut").code, 9017);
        spoil(&place);
        let fetched = place.fetch(wire).expect("fetched");
        let _ = std::fs::remove_file(place.scratch.path("real"));
        place.has(&fetched, SIZE);
        assert_eq!(ranges(&server), [None, None], "{i}");
    }
    // A part of another URL's file is none of this one.
    let server = FileServer::start();
    let served = Served::pattern(SIZE).tag("\"v1\"");
    server.serve("/a", served.clone().next(Trick::Cut(10_000)));
    server.serve("/b", served);
    let place = Place::new();
    let mut first = wire(&server.url("/a"));
    first.resumes = 0;
    assert_eq!(place.fetch(first).expect_err("cut").code, 9017);
    let fetched = place.fetch(wire(&server.url("/b"))).expect("fetched");
    place.has(&fetched, SIZE);
    assert_eq!(ranges(&server), [None, None]);
}

#[test]
fn discard_leaves_nothing() {
    let server = FileServer::start();
    let served = Served::pattern(SIZE).tag("\"v1\"");
    server.serve("/fw.bin", served.always(Trick::Cut(10_000)));
    let place = Place::new();
    assert_eq!(
        place
            .fetch(wire(&server.url("/fw.bin")))
            .expect_err("cut")
            .code,
        9017
    );
    discard(&place.path());
    assert_eq!(place.left(), Vec::<String>::new());
    discard(&place.path());
}

#[test]
fn a_server_that_stalls_drips_or_never_answers_ends_in_time() {
    let server = FileServer::start();
    let served = || Served::pattern(SIZE);
    server.serve("/stall", served().always(Trick::Stall(1000)));
    server.serve("/drip", served().always(Trick::Drip(1000, 20)));
    server.serve("/silence", served().always(Trick::Silence));
    let begun = Instant::now();
    let ends = |path: &str, word: &str, tries: usize, response: u64| {
        let mut wire = wire(&server.url(path));
        wire.resumes = 1;
        wire.timeouts = FileTimeouts {
            response: Duration::from_secs(response),
            stall: Duration::from_millis(1000),
            pace: Duration::from_millis(1500),
            pace_bytes: 5000,
            ..FileTimeouts::default()
        };
        let text = Place::new().fails(wire, 9017);
        assert!(text.contains(word), "{text}");
        let requests = server.requests();
        let asked = requests.iter().filter(|r| r.target == path).count();
        assert_eq!(asked, tries, "{path}");
    };
    thread::scope(|scope| {
        // Worth another try, but for a server that has never answered.
        scope.spawn(|| ends("/stall", "nothing came", 2, 600));
        scope.spawn(|| ends("/drip", "less than", 2, 600));
        scope.spawn(|| ends("/silence", "no answer", 1, 1));
    });
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_slow_server_may_take_as_long_as_it_keeps_its_pace() {
    let server = FileServer::start();
    server.serve("/slow", Served::pattern(75).always(Trick::Pieces(1, 20)));
    let mut slow = wire(&server.url("/slow"));
    slow.timeouts.pace = Duration::from_millis(1000);
    slow.timeouts.pace_bytes = 1;
    slow.resumes = 0;
    let place = Place::new();
    let fetched = place.fetch(slow).expect("fetched");
    place.has(&fetched, 75);
}

#[test]
fn a_word_ends_it_at_once_wherever_it_is() {
    let server = FileServer::start();
    let served = || Served::pattern(SIZE).tag("\"v1\"");
    server.serve("/stall", served().always(Trick::Stall(1000)));
    server.serve("/silence", served().always(Trick::Silence));
    server.serve("/cut", served().always(Trick::Cut(1000)));
    for (path, kept) in [("/stall", true), ("/silence", false), ("/cut", true)] {
        let place = Place::new();
        let mut wire = wire(&server.url(path));
        wire.resume_wait = Duration::from_secs(600);
        let before = server.requests().len();
        let begun = Instant::now();
        thread::scope(|scope| {
            let fetching = scope.spawn(|| place.fetch(wire));
            let there =
                |done: u32| server.requests().len() > before && place.progress.done() >= done;
            while !there(if kept { 1000 } else { 0 }) && begun.elapsed() < Duration::from_secs(20) {
                thread::yield_now();
            }
            place.stop.stop();
            let fault = fetching.join().expect("no panic").expect_err("stopped");
            assert_eq!(
                (fault.code, fault.text.as_str()),
                (9017, "the transfer was ended"),
                "{path}"
            );
        });
        assert!(begun.elapsed() < Duration::from_secs(20), "{path}");
        assert_eq!(place.left().len(), if kept { 2 } else { 0 }, "{path}");
    }
    // Spoken before it begins, nothing is asked.
    let place = Place::new();
    place.stop.stop();
    let before = server.requests().len();
    place.fails(wire(&server.url("/stall")), 9017);
    assert_eq!(server.requests().len(), before);
}

#[cfg(feature = "tls")]
mod over_tls {
    use super::*;
    use cwmp_agent::net::tls::{TlsConfig, TlsFiles};
    use net_support::pki::{Authority, Folder};
    use rustls::version::{TLS12, TLS13};
    use std::sync::Arc;

    /// TLS towards servers of this authority.
    fn tls(ca: &Authority) -> TlsConfig {
        let folder = Folder::new();
        let files = TlsFiles {
            ca_file: Some(folder.write("ca.pem", &ca.pem())),
            ..TlsFiles::default()
        };
        let now = 1_780_272_000; // 2026-06-01
        TlsConfig::load(&files, Arc::new(move || now), 1_704_067_200).expect("a root")
    }

    // T-DLD-002
    #[test]
    fn https_is_verified_as_towards_the_acs() {
        let ca = Authority::new("Test Root");
        let leaf = ca.leaf(&["localhost"], 2025, 2030);
        for version in [&TLS12, &TLS13] {
            let server = FileServer::start_tls(leaf.server(&[version]));
            let guard = Guard::digest(Algorithm::Sha256, USER, PASSWORD);
            let served = Served::pattern(SIZE).tag("\"v1\"").guard(guard);
            server.serve("/fw.bin", served.clone().next(Trick::Cut(77_777)));
            let url = server.url_of("localhost", "/fw.bin");
            let mut good = with_password(&url);
            good.tls = Some(tls(&ca).ready());
            let place = Place::new();
            let fetched = place.fetch(good.clone()).expect("fetched");
            place.has(&fetched, SIZE);
            let asked: Vec<_> = ranges(&server).into_iter().flatten().collect();
            assert_eq!(asked.last(), Some(&77_777));
            // The end of the connection without TLS's own is no end of the file.
            server.serve("/open", Served::pattern(SIZE).always(Trick::NoLength));
            let mut open = good.clone();
            open.url = Url::parse(&server.url_of("localhost", "/open")).expect("a URL");
            let place = Place::new();
            let fetched = place.fetch(open.clone()).expect("fetched");
            place.has(&fetched, SIZE);
            server.serve(
                "/open",
                Served::pattern(SIZE).always(Trick::NoLengthCut(1000)),
            );
            Place::new().fails(open, 9017);
            // Another name, another authority, no roots at all.
            let before = server.requests().len();
            let mut name = good.clone();
            name.url = Url::parse(&server.url("/fw.bin")).expect("a URL");
            let text = Place::new().fails(name, 9015);
            assert!(text.contains("certificate"), "{text}");
            let mut other = good.clone();
            other.tls = Some(tls(&Authority::new("Other Root")).ready());
            Place::new().fails(other, 9015);
            let mut none = good.clone();
            none.tls = None;
            Place::new().fails(none, 9015);
            assert_eq!(server.requests().len(), before, "nothing was said");
        }
    }

    #[test]
    fn redirects_lead_up_to_https_and_never_down() {
        let ca = Authority::new("Test Root");
        let leaf = ca.leaf(&["localhost"], 2025, 2030);
        let secure = FileServer::start_tls(leaf.server(&[&TLS13]));
        let plain = FileServer::start();
        let guard = Guard::basic(USER, PASSWORD);
        secure.serve("/fw.bin", Served::pattern(SIZE).guard(guard));
        secure.serve(
            "/down",
            Served::redirect(302, plain.url_of("localhost", "/fw.bin")),
        );
        plain.serve("/fw.bin", Served::pattern(SIZE));
        plain.serve(
            "/up",
            Served::redirect(302, secure.url_of("localhost", "/fw.bin")),
        );
        let mut up = with_password(&plain.url_of("localhost", "/up"));
        up.tls = Some(tls(&ca).ready());
        up.allow_basic = AllowBasic::Tls;
        let place = Place::new();
        let fetched = place.fetch(up.clone()).expect("the same host, over TLS");
        place.has(&fetched, SIZE);
        let before = plain.requests().len();
        let mut down = up;
        down.url = Url::parse(&secure.url_of("localhost", "/down")).expect("a URL");
        let text = Place::new().fails(down, 9016);
        assert!(text.contains("https"), "{text}");
        assert_eq!(plain.requests().len(), before);
    }
}
