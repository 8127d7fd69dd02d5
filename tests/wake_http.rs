//! The connection request listener over real sockets and in virtual time.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use cwmp_agent::net::auth::challenge::{self, Challenge};
use cwmp_agent::net::auth::digest::Session;
use cwmp_agent::net::auth::server::Credentials;
use cwmp_agent::wake::Knock;
use cwmp_agent::wake::http::{Limits, Listener, ListenerConfig};
use nix::poll::{PollFd, PollTimeout, poll};

const PATH: &str = "/k3yp4th";

/// The listener with its own time, and the poll loop around it.
struct Bench {
    listener: Listener,
    now: Instant,
    knocks: Vec<Knock>,
}

impl Bench {
    fn new() -> Bench {
        Bench::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut ListenerConfig)) -> Bench {
        let now = Instant::now();
        let mut config = ListenerConfig {
            addresses: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            device: None,
            path: PATH.to_owned(),
            credentials: Credentials {
                username: "acs".to_owned(),
                password: "pass".to_owned(),
            },
            limits: Limits::default(),
            realm: "cwmp-agent".to_owned(),
            secret: [9; 32],
        };
        change(&mut config);
        Bench {
            listener: Listener::bind(config, now).expect("a free port"),
            now,
            knocks: Vec::new(),
        }
    }

    /// One turn of the loop: what is ready within a few milliseconds.
    fn turn(&mut self) {
        let mut fds: Vec<PollFd> = self
            .listener
            .fds()
            .map(|(fd, flags)| PollFd::new(fd, flags))
            .collect();
        poll(&mut fds, PollTimeout::from(1u8)).expect("poll");
        let ready: Vec<i32> = fds
            .iter()
            .filter(|fd| fd.any() == Some(true))
            .map(|fd| std::os::fd::AsFd::as_fd(fd).as_raw_fd())
            .collect();
        drop(fds);
        for fd in ready {
            self.knocks.extend(self.listener.ready(fd, self.now));
        }
    }

    fn later(&mut self, by: Duration) {
        self.now += by;
        self.listener.tick(self.now);
    }

    fn connect(&mut self) -> TcpStream {
        let before = self.listener.connections();
        let address = self.listener.addresses()[0];
        let stream = TcpStream::connect(address).expect("connected");
        stream.set_nonblocking(true).expect("non-blocking");
        for _ in 0..200 {
            self.turn();
            if self.listener.connections() > before {
                break;
            }
        }
        stream
    }

    /// Sends and turns until an answer's head is here; empty when the listener closed.
    fn talk(&mut self, stream: &mut TcpStream, text: &str) -> String {
        stream.write_all(text.as_bytes()).expect("sent");
        self.hear(stream)
    }

    fn hear(&mut self, stream: &mut TcpStream) -> String {
        let mut heard = Vec::new();
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(10) {
            self.turn();
            let mut byte = [0; 512];
            match stream.read(&mut byte) {
                Ok(0) => break,
                Ok(n) => heard.extend_from_slice(&byte[..n]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
            if heard.ends_with(b"\r\n\r\n") {
                break;
            }
        }
        String::from_utf8(heard).expect("text")
    }

    /// True when the listener has closed this connection.
    fn is_closed(&mut self, stream: &mut TcpStream) -> bool {
        for _ in 0..50 {
            self.turn();
            match stream.read(&mut [0; 64]) {
                Ok(0) => return true,
                Err(e) if e.kind() != ErrorKind::WouldBlock => return true,
                _ => {}
            }
        }
        false
    }

    /// One request on a connection of its own.
    fn once(&mut self, text: &str) -> String {
        let mut stream = self.connect();
        let answer = self.talk(&mut stream, text);
        drop(stream);
        self.turn();
        answer
    }

    /// A fresh challenge, then the right answer to it on a new connection.
    fn knock(&mut self) -> String {
        let asked = self.once(&get(PATH, ""));
        self.once(&get(PATH, &authorize(&asked, "acs", "pass")))
    }
}

fn get(target: &str, authorization: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: router\r\n{authorization}\r\n")
}

/// The header an ACS would send after this 401.
fn authorize(answer: &str, username: &str, password: &str) -> String {
    authorize_for(answer, username, password, PATH)
}

fn authorize_for(answer: &str, username: &str, password: &str, uri: &str) -> String {
    let headers: Vec<&str> = answer
        .lines()
        .filter_map(|l| l.strip_prefix("WWW-Authenticate: "))
        .collect();
    assert_eq!(headers.len(), 1, "exactly one challenge: {answer}");
    let found = challenge::parse(headers.iter().copied());
    let [Challenge::Digest(c)] = found.as_slice() else {
        panic!("exactly one digest challenge: {answer}");
    };
    let value = Session::new(c.clone(), [5; 16]).authorization(username, password, "GET", uri, b"");
    format!("Authorization: {value}\r\n")
}

fn status(answer: &str) -> u16 {
    let code = answer.split(' ').nth(1).and_then(|s| s.parse().ok());
    code.unwrap_or_else(|| panic!("an answer: {answer:?}"))
}

// T-CRQ-001 T-CRQ-002
#[test]
fn challenge_and_answer_on_one_connection_are_a_knock() {
    let mut bench = Bench::new();
    let mut acs = bench.connect();
    let asked = bench.talk(&mut acs, &get(PATH, ""));
    assert_eq!(status(&asked), 401);
    assert!(asked.contains("algorithm=MD5") && asked.contains("qop=\"auth\""));
    assert!(bench.knocks.is_empty(), "no session without credentials");
    let answer = bench.talk(&mut acs, &get(PATH, &authorize(&asked, "acs", "pass")));
    assert_eq!(status(&answer), 200);
    assert!(answer.contains("Content-Length: 0\r\n"));
    let peer = acs.local_addr().expect("an address");
    assert_eq!(bench.knocks, [Knock { peer }]);
    assert!(bench.is_closed(&mut acs));
}

// T-CRQ-007
#[test]
fn the_answer_is_with_the_peer_before_anybody_hears_of_the_knock() {
    let mut bench = Bench::new();
    let asked = bench.once(&get(PATH, ""));
    let request = get(PATH, &authorize(&asked, "acs", "pass"));
    let mut stream = bench.connect();
    stream.write_all(request.as_bytes()).expect("sent");
    for _ in 0..200 {
        bench.turn();
        if !bench.knocks.is_empty() {
            break;
        }
    }
    assert_eq!(bench.knocks.len(), 1);
    // The listener has no further turn.
    let mut answer = [0; 512];
    let n = stream.read(&mut answer).expect("an answer that is here");
    assert_eq!(status(&String::from_utf8_lossy(&answer[..n])), 200);
}

#[test]
fn the_nonce_is_good_on_a_new_connection_and_the_query_is_ignored() {
    let mut bench = Bench::new();
    assert_eq!(status(&bench.knock()), 200);
    let asked = bench.once(&get(&format!("{PATH}?a=b"), ""));
    assert_eq!(status(&asked), 401);
    let authorization = authorize(&asked, "acs", "pass");
    let answer = bench.once(&get(&format!("{PATH}?a=b"), &authorization));
    assert_eq!(status(&answer), 200);
    assert_eq!(bench.knocks.len(), 2);
}

// T-CRQ-003 T-CRQ-004 T-CRQ-005 T-CRQ-006
#[test]
fn what_is_wrong_is_refused_and_counted() {
    let mut bench = Bench::new();
    let asked = bench.once(&get(PATH, ""));
    let wrong = authorize(&asked, "acs", "guess");
    assert_eq!(status(&bench.once(&get(PATH, &wrong))), 401);
    let wrong = authorize(&asked, "admin", "pass");
    assert_eq!(status(&bench.once(&get(PATH, &wrong))), 401);
    let right = authorize(&asked, "acs", "pass");
    assert_eq!(status(&bench.once(&get("/other", &right))), 404);
    assert_eq!(status(&bench.once(&get(&PATH[..4], &right))), 404);
    let post = format!("POST {PATH} HTTP/1.1\r\nContent-Length: 2\r\n{right}\r\nhi");
    assert_eq!(status(&bench.once(&post)), 405);
    assert!(bench.knocks.is_empty());
    assert_eq!(status(&bench.once(&get(PATH, &right))), 200);
    let replayed = bench.once(&get(PATH, &right));
    assert_eq!(status(&replayed), 401);
    assert!(replayed.contains("stale=true"));
    assert_eq!(status(&bench.once("\u{1}\u{2}\r\n\r\n")), 400);
    assert_eq!(bench.knocks.len(), 1);
    let c = bench.listener.counters();
    assert_eq!((c.accepted, c.challenged, c.wrong_credentials), (1, 1, 2));
    assert_eq!((c.stale, c.wrong_path, c.wrong_method), (1, 2, 1));
    assert_eq!((c.malformed, c.refused()), (1, 7));
}

#[test]
fn without_configured_credentials_nobody_comes_in() {
    for (username, password) in [("", ""), ("acs", ""), ("", "pass")] {
        let mut bench = Bench::with(|c| {
            c.credentials = Credentials {
                username: username.to_owned(),
                password: password.to_owned(),
            };
        });
        let asked = bench.once(&get(PATH, ""));
        let answer = bench.once(&get(PATH, &authorize(&asked, username, password)));
        assert_eq!(status(&answer), 401);
        assert!(bench.knocks.is_empty());
    }
}

#[test]
fn new_credentials_and_path_hold_at_once() {
    let mut bench = Bench::new();
    let credentials = Credentials {
        username: "acs".to_owned(),
        password: "new".to_owned(),
    };
    bench.listener.configure("/new", credentials);
    assert_eq!(status(&bench.once(&get(PATH, ""))), 404);
    let asked = bench.once(&get("/new", ""));
    assert_eq!(status(&asked), 401);
}

// T-CRQ-008 T-CRQ-010
#[test]
fn a_burst_is_answered_and_the_excess_gets_503() {
    let mut bench = Bench::new();
    for _ in 0..5 {
        assert_eq!(status(&bench.knock()), 200);
        bench.later(Duration::from_millis(200));
    }
    assert_eq!(bench.knocks.len(), 5);
    let mut busy = 0;
    for _ in 0..95 {
        match status(&bench.knock()) {
            200 => {}
            503 => busy += 1,
            other => panic!("{other}"),
        }
        bench.later(Duration::from_millis(100));
    }
    assert_eq!(bench.knocks.len() + busy, 100);
    assert!(
        (10..=20).contains(&bench.knocks.len()),
        "{}",
        bench.knocks.len()
    );
    bench.later(Duration::from_secs(60));
    assert_eq!(status(&bench.knock()), 200, "the rate recovers");
}

#[test]
fn one_address_cannot_guess_as_fast_as_it_likes() {
    let mut bench = Bench::new();
    let mut refused = 0;
    for _ in 0..100 {
        let answer = bench.once(&get("/guess", ""));
        refused += usize::from(status(&answer) == 503);
        bench.later(Duration::from_millis(10));
    }
    // 40 at once, and nine more in the second that has passed.
    assert_eq!(refused, 51);
}

// T-CRQ-012
#[test]
fn a_head_that_trickles_in_ends_at_its_deadline() {
    let mut bench = Bench::new();
    let mut slow = bench.connect();
    let text = get(PATH, "X: y\r\n");
    for byte in text.bytes().take(9) {
        slow.write_all(&[byte]).expect("sent");
        bench.turn();
        bench.later(Duration::from_millis(500));
    }
    assert_eq!(bench.listener.connections(), 1);
    let deadline = bench.listener.next_deadline().expect("a deadline");
    assert!(
        deadline <= bench.now + Duration::from_millis(500),
        "no byte prolongs it"
    );
    bench.later(Duration::from_millis(500));
    assert!(bench.is_closed(&mut slow));
    assert_eq!(bench.listener.connections(), 0);
    assert_eq!(bench.listener.counters().timed_out, 1);
    assert_eq!(status(&bench.knock()), 200);
}

#[test]
fn a_head_in_pieces_is_read_when_it_comes_in_time() {
    let mut bench = Bench::new();
    let mut acs = bench.connect();
    let text = get(PATH, "");
    let (last, first) = text.as_bytes().split_last().expect("not empty");
    for byte in first {
        acs.write_all(&[*byte]).expect("sent");
        bench.turn();
    }
    acs.write_all(&[*last]).expect("sent");
    assert_eq!(status(&bench.hear(&mut acs)), 401);
}

#[test]
fn a_kept_connection_may_idle_a_while_and_then_has_time_for_a_head() {
    let mut bench = Bench::new();
    let mut acs = bench.connect();
    let asked = bench.talk(&mut acs, &get(PATH, ""));
    bench.later(Duration::from_secs(9));
    acs.write_all(b"GET ").expect("sent");
    bench.turn();
    bench.later(Duration::from_secs(4));
    let rest = get(PATH, &authorize(&asked, "acs", "pass"));
    assert_eq!(status(&bench.talk(&mut acs, &rest[4..])), 200);
    let mut idle = bench.connect();
    bench.talk(&mut idle, &get(PATH, ""));
    bench.later(Duration::from_secs(11));
    assert!(bench.is_closed(&mut idle));
    assert_eq!(bench.listener.counters().timed_out, 0);
}

#[test]
fn a_huge_head_is_refused() {
    let mut bench = Bench::new();
    let huge = get(PATH, &format!("X: {}\r\n", "y".repeat(20_000)));
    assert_eq!(status(&bench.once(&huge)), 431);
    assert_eq!(bench.listener.counters().too_large, 1);
    let long_path = get(&format!("/{}", "p".repeat(3900)), "");
    assert_eq!(status(&bench.once(&long_path)), 404);
}

#[test]
fn http_1_0_and_close_end_the_connection_after_the_answer() {
    for text in [
        format!("GET {PATH} HTTP/1.0\r\n\r\n"),
        get(PATH, "Connection: close\r\n"),
        get(PATH, "Content-Length: 3\r\n") + "abc",
    ] {
        let mut bench = Bench::new();
        let mut acs = bench.connect();
        let answer = bench.talk(&mut acs, &text);
        assert_eq!(status(&answer), 401);
        assert!(answer.contains("Connection: close\r\n"));
        assert!(bench.is_closed(&mut acs));
    }
    let mut bench = Bench::new();
    let mut acs = bench.connect();
    let text = format!("GET {PATH} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(status(&bench.talk(&mut acs, &text)), 401);
    assert_eq!(status(&bench.talk(&mut acs, &text)), 401);
}

#[test]
fn two_requests_in_one_packet_are_both_answered() {
    let mut bench = Bench::new();
    let mut acs = bench.connect();
    let twice = get(PATH, "").repeat(2);
    acs.write_all(twice.as_bytes()).expect("sent");
    let mut heard = String::new();
    while heard.matches("401 Unauthorized").count() < 2 {
        let more = bench.hear(&mut acs);
        assert!(!more.is_empty(), "{heard}");
        heard.push_str(&more);
    }
}

#[test]
fn requests_of_a_peer_that_says_no_more_are_still_answered() {
    let mut bench = Bench::new();
    let mut acs = bench.connect();
    acs.write_all(get(PATH, "").repeat(2).as_bytes())
        .expect("sent");
    acs.shutdown(std::net::Shutdown::Write)
        .expect("half closed");
    let mut heard = String::new();
    loop {
        let more = bench.hear(&mut acs);
        if more.is_empty() {
            break;
        }
        heard.push_str(&more);
    }
    assert_eq!(heard.matches("401 Unauthorized").count(), 2, "{heard}");
}

// T-CRQ-008
#[test]
fn ten_knocks_side_by_side_from_one_address_are_all_answered() {
    let mut bench = Bench::new();
    let mut acs: Vec<TcpStream> = (0..10).map(|_| bench.connect()).collect();
    let asked: Vec<String> = acs
        .iter_mut()
        .map(|stream| bench.talk(stream, &get(PATH, "")))
        .collect();
    for (stream, asked) in acs.iter_mut().zip(&asked) {
        assert_eq!(status(asked), 401);
        let answer = bench.talk(stream, &get(PATH, &authorize(asked, "acs", "pass")));
        assert_eq!(status(&answer), 200);
    }
    assert_eq!(bench.knocks.len(), 10);
    assert_eq!(bench.listener.counters().evicted, 0);
}

/// The same answer as clients in the field spell it: quoted where others do not quote,
/// without what is optional, in other letters.
#[test]
fn answers_are_understood_however_they_are_spelt() {
    type Spell = fn(&str) -> String;
    let spellings: [Spell; 6] = [
        |usual| usual.replace("qop=auth", "qop=\"auth\""),
        |usual| usual.replace("algorithm=MD5", "algorithm=\"md5\""),
        |usual| usual.replace("nc=00000001", "nc=\"00000001\""),
        |usual| usual.replace(", algorithm=MD5", ""),
        |usual| usual.replace(", ", ",").replace("Digest ", "digest  "),
        |usual| {
            let (head, rest) = usual.split_once("response=\"").expect("a response");
            let (hash, rest) = rest.split_once('"').expect("a quote");
            format!("{head}response=\"{}\"{rest}", hash.to_uppercase())
        },
    ];
    for spell in spellings {
        let mut bench = Bench::new();
        let asked = bench.once(&get(PATH, ""));
        let usual = authorize(&asked, "acs", "pass");
        let spelt = spell(&usual);
        assert_ne!(usual, spelt);
        assert_eq!(status(&bench.once(&get(PATH, &spelt))), 200, "{spelt}");
    }
}

/// Through a proxy the whole URL stands in the request line; some clients hash the query too,
/// some the URL.
#[test]
fn the_uri_of_the_answer_may_have_a_query_or_be_a_whole_url() {
    let whole = format!("http://router:7547{PATH}");
    let query = format!("{PATH}?command=x&y");
    for (target, uri) in [
        (whole.as_str(), PATH),
        (&whole, &whole),
        (PATH, &whole),
        (&query, &query),
        (&query, PATH),
    ] {
        let mut bench = Bench::new();
        let asked = bench.once(&get(target, ""));
        assert_eq!(status(&asked), 401);
        let right = authorize_for(&asked, "acs", "pass", uri);
        assert_eq!(
            status(&bench.once(&get(target, &right))),
            200,
            "{target} {uri}"
        );
        let other = authorize_for(&asked, "acs", "pass", "/other");
        assert_eq!(status(&bench.once(&get(target, &other))), 401);
    }
}

#[test]
fn one_address_keeps_few_connections_and_all_together_are_bounded() {
    let mut bench = Bench::with(|c| {
        c.limits.connections = 6;
        c.limits.per_source = 4;
    });
    let mut held: Vec<TcpStream> = (0..10).map(|_| bench.connect()).collect();
    assert_eq!(bench.listener.connections(), 4);
    assert_eq!(bench.listener.counters().evicted, 6);
    assert!(bench.is_closed(&mut held[0]), "the oldest made room");
    assert!(!bench.is_closed(&mut held[9]), "the newest is served");
    // Nobody else is shut out.
    assert_eq!(status(&bench.knock()), 200);
}

// T-CRQ-012
#[test]
fn thousands_of_connections_in_a_row_leave_a_listener_that_answers() {
    let mut bench = Bench::new();
    let address = bench.listener.addresses()[0];
    for n in 0..1500 {
        let stream = TcpStream::connect(address).expect("connected");
        if n % 3 == 0 {
            // Some say a little, most say nothing; all go away at once.
            let _ = (&stream).write_all(b"GET /");
        }
        drop(stream);
        if n % 8 == 0 {
            bench.later(Duration::from_millis(100));
            bench.turn();
        }
        assert!(bench.listener.connections() <= 16);
    }
    bench.later(Duration::from_secs(5));
    for _ in 0..50 {
        bench.turn();
        bench.later(Duration::from_millis(100));
    }
    assert_eq!(bench.listener.connections(), 0);
    bench.later(Duration::from_secs(60));
    assert_eq!(status(&bench.knock()), 200);
}

#[test]
fn accepting_pauses_in_a_flood_and_goes_on() {
    let mut bench = Bench::new();
    let address = bench.listener.addresses()[0];
    let mut paused = false;
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(TcpStream::connect(address).expect("connected"));
        bench.turn();
        if bench.listener.fds().count() == bench.listener.connections() {
            paused = true;
            break;
        }
    }
    assert!(paused, "the listening socket is not polled for a while");
    let due = bench.listener.next_deadline().expect("it says until when");
    assert!(due <= bench.now + Duration::from_secs(1));
    bench.later(Duration::from_secs(1));
    assert!(bench.listener.fds().count() > bench.listener.connections());
}

#[test]
fn both_families_share_one_port() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        println!("skipped: no IPv6 here");
        return;
    }
    let mut bench = Bench::with(|c| {
        c.addresses.push("[::1]:0".parse().expect("an address"));
    });
    let addresses = bench.listener.addresses();
    assert_eq!(addresses.len(), 2);
    assert_eq!(addresses[0].port(), addresses[1].port());
    assert_eq!(bench.listener.port(), addresses[0].port());
    let mut stream = TcpStream::connect(addresses[1]).expect("connected");
    stream.set_nonblocking(true).expect("non-blocking");
    assert_eq!(status(&bench.talk(&mut stream, &get(PATH, ""))), 401);
}

#[test]
fn a_taken_port_is_named() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("an address");
    let config = ListenerConfig {
        addresses: vec![address],
        device: None,
        path: PATH.to_owned(),
        credentials: Credentials::default(),
        limits: Limits::default(),
        realm: String::new(),
        secret: [0; 32],
    };
    let error = Listener::bind(config, Instant::now()).expect_err("taken");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}
