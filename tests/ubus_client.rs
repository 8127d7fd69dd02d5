//! The client of ubusd, with a stand-in that also misbehaves.

use std::time::{Duration, Instant};

use cwmp_agent::ubus::object::{Request, Session, TR069, verdict};
use cwmp_agent::ubus::{
    Answer, CallError, Caller, Client, ClientConfig, Happening, Limits, Status, Ticket, object,
};
use serde_json::{Map, Value};

mod scratch;
mod ubusd;

use scratch::Scratch;
use ubusd::{Manners, Table, Ubusd, table};

const SECOND: Duration = Duration::from_secs(1);

/// Client and stand-in in one thread, with a clock of its own.
struct Bus {
    scratch: Scratch,
    ubusd: Option<Ubusd>,
    now: Instant,
}

impl Bus {
    fn new() -> Bus {
        let scratch = Scratch::new();
        let mut bus = Bus {
            scratch,
            ubusd: None,
            now: Instant::now(),
        };
        bus.start();
        bus
    }

    fn start(&mut self) {
        let mut ubusd = Ubusd::listen(&self.scratch.path("ubus/ubus.sock"));
        ubusd.answer("system", "board", Ok(r#"{"model":"Ridge R1","n":[1,2]}"#));
        ubusd.answer("system", "refuses", Err(6));
        self.ubusd = Some(ubusd);
    }

    fn ubusd(&mut self) -> &mut Ubusd {
        self.ubusd.as_mut().unwrap()
    }

    fn client(&mut self, config: ClientConfig) -> Client {
        let socket = self.scratch.path("ubus/ubus.sock");
        Client::new(ClientConfig { socket, ..config }, self.now)
    }

    fn plain(&mut self) -> Client {
        let mut client = self.client(ClientConfig::default());
        assert_eq!(self.go(&mut client), [Happening::Connected]);
        client
    }

    /// Everything that happens without time passing.
    fn go(&mut self, client: &mut Client) -> Vec<Happening> {
        let mut all = Vec::new();
        let mut quiet = 0;
        for _ in 0..2000 {
            client.ready(self.now);
            if let Some(ubusd) = &mut self.ubusd {
                ubusd.serve();
            }
            let before = all.len();
            all.extend(std::iter::from_fn(|| client.next_happening()));
            quiet = if all.len() == before { quiet + 1 } else { 0 };
            let endless = [Manners::Slow, Manners::Endless, Manners::Strays];
            let ubusd = self.ubusd.as_ref();
            let endless = ubusd.is_some_and(|u| endless.contains(&u.manners));
            if quiet > if endless { 400 } else { 8 } {
                break;
            }
        }
        all
    }

    fn call(&mut self, client: &mut Client, method: &str) -> Ticket {
        let deadline = self.now + 3 * SECOND;
        client.call("system", method, &Map::new(), deadline, self.now)
    }

    /// One call of `board`, and what comes of it at once.
    fn board(&mut self, client: &mut Client) -> Vec<Happening> {
        self.call(client, "board");
        self.go(client)
    }
}

/// The outcome of the only call.
fn outcome(happenings: &[Happening]) -> Result<Vec<Table>, CallError> {
    let mut answered = happenings.iter().filter_map(|h| match h {
        Happening::Answered(_, outcome) => Some(outcome.clone()),
        _ => None,
    });
    let outcome = answered
        .next()
        .unwrap_or_else(|| panic!("no answer: {happenings:?}"));
    assert!(answered.next().is_none(), "{happenings:?}");
    match outcome? {
        Answer::Tables(tables) => Ok(tables),
        Answer::Objects(found) => panic!("{found:?}"),
    }
}

fn is_board(happenings: &[Happening]) -> bool {
    outcome(happenings).is_ok_and(|tables| tables[0]["model"] == "Ridge R1")
}

#[test]
fn a_call_is_answered_or_refused() {
    let mut bus = Bus::new();
    let mut client = bus.plain();
    let answered = bus.board(&mut client);
    assert_eq!(
        outcome(&answered),
        Ok(vec![table(r#"{"model":"Ridge R1","n":[1,2]}"#)])
    );
    let refused = |status| Err(CallError::Refused(status));
    bus.call(&mut client, "refuses");
    assert_eq!(
        outcome(&bus.go(&mut client)),
        refused(Status::PermissionDenied)
    );
    bus.call(&mut client, "nosuch");
    assert_eq!(
        outcome(&bus.go(&mut client)),
        refused(Status::MethodNotFound)
    );
    let (now, later) = (bus.now, bus.now + SECOND);
    client.call("nosuch", "x", &Map::new(), later, now);
    assert_eq!(outcome(&bus.go(&mut client)), refused(Status::NotFound));
    assert_eq!(bus.ubusd().came, 1, "all of it on one connection");
}

#[test]
fn calls_side_by_side_get_their_own_answers_and_there_is_a_limit() {
    let mut bus = Bus::new();
    bus.ubusd().answer("system", "two", Ok(r#"{"two":2}"#));
    let mut client = bus.plain();
    let one = bus.call(&mut client, "board");
    let two = bus.call(&mut client, "two");
    let three: Vec<Ticket> = (0..15).map(|_| bus.call(&mut client, "board")).collect();
    let mut busy = 0;
    for happening in bus.go(&mut client) {
        match happening {
            Happening::Answered(ticket, Ok(Answer::Tables(tables))) => {
                let its = if ticket == two { "two" } else { "model" };
                assert!(tables[0].contains_key(its), "{ticket:?}");
                assert!(ticket == one || ticket == two || three.contains(&ticket));
            }
            Happening::Answered(ticket, Err(CallError::Busy)) => {
                assert_eq!(Some(&ticket), three.last());
                busy += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(busy, 1);
    assert!(is_board(&bus.board(&mut client)));
}

#[test]
fn where_ubusd_is_not_there_it_is_absent_and_looked_for_ever_more_seldom() {
    let mut bus = Bus::new();
    bus.ubusd = None;
    let mut client = bus.client(ClientConfig::default());
    assert_eq!(bus.go(&mut client), []);
    assert!(client.fd().is_none());
    assert_eq!(outcome(&bus.board(&mut client)), Err(CallError::Absent));
    let mut waits = Vec::new();
    for _ in 0..9 {
        let next = client.next_deadline().unwrap();
        waits.push((next - bus.now).as_secs());
        bus.now = next;
        assert_eq!(bus.go(&mut client), []);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);

    // A file that nobody listens on is as good as none.
    let path = bus.scratch.path("ubus/ubus.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    bus.now = client.next_deadline().unwrap();
    assert_eq!(bus.go(&mut client), []);
    std::fs::remove_file(path).unwrap();

    bus.start();
    bus.now = client.next_deadline().unwrap();
    assert_eq!(bus.go(&mut client), [Happening::Connected]);
    assert!(client.next_deadline().is_none(), "nothing to wait for");
    assert!(is_board(&bus.board(&mut client)));
}

fn with_all() -> ClientConfig {
    ClientConfig {
        objects: vec![TR069],
        events: vec!["network.*".to_owned(), "dhcp.ack".to_owned()],
        subscriptions: vec!["network.interface".to_owned()],
        ..ClientConfig::default()
    }
}

#[test]
fn when_ubusd_returns_so_does_what_was_offered_and_listened_for() {
    let mut bus = Bus::new();
    bus.ubusd().answer("network.interface", "dump", Ok("{}"));
    let mut client = bus.client(with_all());
    let begun = [Happening::Connected, Happening::Offered("tr069")];
    assert_eq!(bus.go(&mut client), begun);
    assert_eq!((bus.ubusd().listeners(), bus.ubusd().subscribers()), (2, 1));

    bus.ubusd().manners = Manners::Silent;
    bus.call(&mut client, "board");
    assert_eq!(bus.go(&mut client), []);
    bus.now += Duration::from_millis(100);
    bus.ubusd().hang_up();
    let happened = bus.go(&mut client);
    assert_eq!(outcome(&happened), Err(CallError::Lost));
    assert_eq!(happened.last(), Some(&Happening::Disconnected));
    assert_eq!(bus.ubusd().paths(), ["system", "network.interface"]);

    bus.ubusd().manners = Manners::Good;
    bus.now = client.next_deadline().unwrap();
    assert_eq!(bus.go(&mut client), begun);
    assert_eq!((bus.ubusd().listeners(), bus.ubusd().subscribers()), (2, 1));
    bus.ubusd()
        .event("network.interface", r#"{"action":"ifup"}"#);
    bus.ubusd().event("dhcp.ack", "{}");
    bus.ubusd().event("dhcp.lease", "{}");
    bus.ubusd()
        .notify("network.interface", "interface.update", r#"{"up":true}"#);
    let (name, about) = (
        "network.interface".to_owned(),
        table(r#"{"action":"ifup"}"#),
    );
    let (what, up) = ("interface.update".to_owned(), table(r#"{"up":true}"#));
    assert_eq!(
        bus.go(&mut client),
        [
            Happening::Event(name.clone(), about),
            Happening::Event("dhcp.ack".to_owned(), Map::new()),
            Happening::Notified(name, what, up),
        ]
    );
}

#[test]
fn a_subscription_waits_for_its_object_and_follows_it() {
    let mut bus = Bus::new();
    let mut client = bus.client(ClientConfig {
        subscriptions: vec!["network.interface".to_owned()],
        ..ClientConfig::default()
    });
    assert_eq!(bus.go(&mut client), [Happening::Connected]);
    assert_eq!(bus.ubusd().subscribers(), 0);
    bus.ubusd().answer("network.interface", "dump", Ok("{}"));
    bus.now = client.next_deadline().unwrap();
    bus.go(&mut client);
    assert_eq!(bus.ubusd().subscribers(), 1);

    bus.ubusd().withdraw("network.interface");
    bus.go(&mut client);
    assert_eq!(bus.ubusd().subscribers(), 0);
    bus.ubusd().answer("network.interface", "dump", Ok("{}"));
    bus.now = client.next_deadline().unwrap();
    bus.go(&mut client);
    assert_eq!(bus.ubusd().subscribers(), 1);
}

#[test]
fn an_object_that_is_refused_is_offered_again_later() {
    let mut bus = Bus::new();
    bus.ubusd().answer("tr069", "status", Ok("{}"));
    let mut client = bus.client(with_all());
    let refused = Happening::NotOffered("tr069", Status::InvalidArgument);
    assert_eq!(bus.go(&mut client), [Happening::Connected, refused]);
    bus.ubusd().withdraw("tr069");
    let next = client.next_deadline().unwrap();
    assert!(next > bus.now + 30 * SECOND, "not over and over");
    bus.now = next;
    assert_eq!(bus.go(&mut client), [Happening::Offered("tr069")]);
}

#[test]
fn another_program_calls_our_object() {
    let mut bus = Bus::new();
    let mut ours = bus.client(with_all());
    bus.go(&mut ours);
    let mut theirs = bus.plain();
    let (now, later) = (bus.now, bus.now + SECOND);
    let calls = [
        ("inform", r#"{"event":"1 BOOT"}"#),
        ("inform", r#"{"event":7}"#),
        ("nosuch", "{}"),
        ("status", "{}"),
    ];
    let mut outcomes = Vec::new();
    for (method, arguments) in calls {
        theirs.call("tr069", method, &table(arguments), later, now);
        bus.go(&mut theirs);
        for happening in bus.go(&mut ours) {
            let Happening::Invoked(call) = happening else {
                continue;
            };
            assert_eq!((call.object, call.user.as_deref()), ("tr069", Some("root")));
            assert!(
                !format!("{call:?}").contains("BOOT"),
                "values are not shown"
            );
            let answer = Request::read(&call).map(|request| match request {
                Request::Inform(event) => verdict(true, &event.unwrap()),
                _ => object::Status::default().answer(),
            });
            ours.reply(&call, answer.as_ref().map_err(|e| *e), bus.now);
        }
        outcomes.push(outcome(&bus.go(&mut theirs)));
    }
    assert_eq!(
        outcomes[0],
        Ok(vec![table(r#"{"status":1,"info":"1 BOOT"}"#)])
    );
    let refused = |status| Err(CallError::Refused(status));
    assert_eq!(outcomes[1], refused(Status::InvalidArgument));
    assert_eq!(outcomes[2], refused(Status::MethodNotFound));
    assert_eq!(outcomes[3].as_ref().unwrap()[0]["cwmp"]["status"], "up");
}

#[test]
fn a_reply_to_a_call_of_an_earlier_connection_goes_nowhere() {
    let mut bus = Bus::new();
    let mut ours = bus.client(with_all());
    bus.go(&mut ours);
    let mut theirs = bus.plain();
    let (now, later) = (bus.now, bus.now + 30 * SECOND);
    theirs.call("tr069", "status", &Map::new(), later, now);
    bus.go(&mut theirs);
    let happened = bus.go(&mut ours);
    let Some(Happening::Invoked(call)) = happened.first() else {
        panic!("{happened:?}")
    };
    bus.ubusd().hang_up();
    bus.go(&mut ours);
    bus.now = ours.next_deadline().unwrap();
    assert_eq!(bus.go(&mut ours).len(), 2, "connected and offered");
    ours.reply(call, Ok(&Map::new()), bus.now);
    assert_eq!(bus.go(&mut ours), []);
    assert_eq!(bus.ubusd().replies, 0);
    assert!(ours.is_connected());
}

#[test]
fn what_is_told_reaches_listeners_and_subscribers() {
    let mut bus = Bus::new();
    let mut ours = bus.client(with_all());
    bus.go(&mut ours);
    let mut theirs = bus.client(ClientConfig {
        events: vec!["tr069.session".to_owned()],
        subscriptions: vec!["tr069".to_owned()],
        ..ClientConfig::default()
    });
    bus.go(&mut theirs);
    let about = table(r#"{"succeeded":true}"#);
    ours.notify("tr069", "session", &about, bus.now);
    let (now, later) = (bus.now, bus.now + SECOND);
    ours.send("tr069.session", &about, later, now);
    assert_eq!(outcome(&bus.go(&mut ours)), Ok(Vec::new()));
    assert_eq!(
        bus.go(&mut theirs),
        [
            Happening::Notified("tr069".to_owned(), "session".to_owned(), about.clone()),
            Happening::Event("tr069.session".to_owned(), about),
        ]
    );
}

#[test]
fn a_call_without_an_answer_ends_at_its_deadline() {
    let mut bus = Bus::new();
    let mut client = bus.plain();
    bus.ubusd().manners = Manners::Silent;
    assert_eq!(bus.board(&mut client), []);
    let deadline = client.next_deadline().unwrap();
    assert_eq!(deadline, bus.now + 3 * SECOND);
    bus.now = deadline;
    assert_eq!(outcome(&bus.go(&mut client)), Err(CallError::TimedOut));
    bus.ubusd().manners = Manners::Good;
    assert!(
        is_board(&bus.board(&mut client)),
        "the connection serves on"
    );
}

#[test]
fn a_greeting_that_does_not_come_or_is_none_is_absence() {
    for manners in [
        Manners::NoGreeting,
        Manners::GarbageGreeting,
        Manners::Leaves,
    ] {
        let mut bus = Bus::new();
        bus.ubusd().manners = manners;
        let mut client = bus.client(with_all());
        let happened = bus.go(&mut client);
        let left = manners == Manners::Leaves;
        assert_eq!(happened.is_empty(), !left, "{manners:?}: {happened:?}");
        if manners == Manners::NoGreeting {
            // What is asked meanwhile waits, but not for ever.
            bus.call(&mut client, "board");
            bus.now += 3 * SECOND;
            assert_eq!(outcome(&bus.go(&mut client)), Err(CallError::TimedOut));
            bus.now += 3 * SECOND;
            assert_eq!(bus.go(&mut client), []);
        }
        assert!(client.fd().is_none(), "{manners:?}");
        bus.ubusd().manners = Manners::Good;
        bus.now = client.next_deadline().unwrap();
        let begun = [Happening::Connected, Happening::Offered("tr069")];
        assert_eq!(bus.go(&mut client), begun, "{manners:?}");
    }
}

#[test]
fn an_answer_that_is_too_much_fails_its_call_alone() {
    for manners in [Manners::Large, Manners::Many] {
        let mut bus = Bus::new();
        let mut client = bus.plain();
        bus.ubusd().manners = manners;
        let too_large = Err(CallError::TooLarge(Limits::default().answer));
        let happened = bus.board(&mut client);
        assert_eq!(outcome(&happened), too_large, "{manners:?}");
        bus.ubusd().manners = Manners::Good;
        assert!(is_board(&bus.board(&mut client)), "{manners:?}");
        assert_eq!(bus.ubusd().came, 1, "{manners:?}");
    }
}

#[test]
fn an_answer_that_cannot_be_read_fails_its_call_alone() {
    let mut bus = Bus::new();
    let mut client = bus.plain();
    bus.ubusd().manners = Manners::BrokenBlob;
    let happened = bus.board(&mut client);
    let malformed = matches!(outcome(&happened), Err(CallError::Malformed(_)));
    assert!(malformed, "{happened:?}");
    bus.ubusd().manners = Manners::Good;
    assert!(is_board(&bus.board(&mut client)));
    assert_eq!(bus.ubusd().came, 1);
}

#[test]
fn replies_to_somebody_else_are_passed_over() {
    for manners in [Manners::WrongPeer, Manners::WrongSeq, Manners::Slow] {
        let mut bus = Bus::new();
        let mut client = bus.plain();
        bus.ubusd().manners = manners;
        let happened = bus.board(&mut client);
        assert!(is_board(&happened), "{manners:?}: {happened:?}");
        assert_eq!(happened.len(), 1, "{manners:?}");
    }
}

#[test]
fn a_connection_that_cannot_go_on_ends_and_another_is_made() {
    let worst = [
        Manners::HangsUp,
        Manners::HalfMessage,
        Manners::Garbage,
        Manners::HugeLength,
        Manners::Strays,
    ];
    for manners in worst {
        let mut bus = Bus::new();
        let mut client = bus.plain();
        bus.ubusd().manners = manners;
        let happened = bus.board(&mut client);
        assert_eq!(outcome(&happened), Err(CallError::Lost), "{manners:?}");
        assert_eq!(
            happened.last(),
            Some(&Happening::Disconnected),
            "{manners:?}"
        );
        bus.ubusd().manners = Manners::Good;
        bus.now = client.next_deadline().unwrap();
        assert_eq!(bus.go(&mut client), [Happening::Connected], "{manners:?}");
        assert!(is_board(&bus.board(&mut client)), "{manners:?}");
    }
}

#[test]
fn an_answer_without_end_ends_at_the_limit() {
    let mut bus = Bus::new();
    let mut client = bus.plain();
    bus.ubusd().manners = Manners::Endless;
    let happened = bus.board(&mut client);
    let too_large = Err(CallError::TooLarge(Limits::default().answer));
    assert_eq!(outcome(&happened), too_large);
    // What goes on coming then answers nothing.
    assert_eq!(happened.last(), Some(&Happening::Disconnected));
}

#[test]
fn one_who_waits_gets_the_answer_or_the_reason_in_time() {
    let mut bus = Bus::new();
    let path = bus.scratch.path("ubus/ubus.sock");
    let ubusd = bus.ubusd.take().unwrap().run();
    let mut caller = Caller::new(&path);
    let soon = || Instant::now() + 20 * SECOND;
    let mut board =
        |within: Duration| caller.call("system", "board", &Map::new(), Instant::now() + within);
    assert_eq!(board(20 * SECOND).unwrap()[0]["model"], "Ridge R1");
    ubusd.with(|u| u.manners = Manners::Slow);
    assert_eq!(board(20 * SECOND).unwrap()[0]["model"], "Ridge R1");
    ubusd.with(|u| u.manners = Manners::Silent);
    assert_eq!(board(SECOND / 20), Err(CallError::TimedOut));
    ubusd.with(|u| u.manners = Manners::HangsUp);
    assert_eq!(board(20 * SECOND), Err(CallError::Lost));
    ubusd.with(|u| u.manners = Manners::NoGreeting);
    assert_eq!(board(SECOND / 20), Err(CallError::TimedOut));
    ubusd.with(|u| {
        u.manners = Manners::Good;
        u.hang_up();
    });
    assert_eq!(board(20 * SECOND).unwrap()[0]["model"], "Ridge R1");

    let found = caller.lookup(Some("sys*"), soon()).unwrap();
    assert_eq!(found[0].path, "system");
    let about = table(r#"{"type":"config.change","data":{"package":"network"}}"#);
    caller.send("service.event", &about, soon()).unwrap();
    let sent = ubusd.with(|u| u.events.clone());
    assert_eq!(sent, [("service.event".to_owned(), about)]);

    drop(ubusd);
    let gone = caller.call("system", "board", &Map::new(), soon());
    assert_eq!(gone, Err(CallError::Absent));
}

#[test]
fn what_tr069_is_asked_is_held_to_its_form() {
    let mut bus = Bus::new();
    let mut ours = bus.client(with_all());
    bus.go(&mut ours);
    let mut theirs = bus.plain();
    let mut read = |method: &str, arguments: &str| {
        let (now, later) = (bus.now, bus.now + SECOND);
        theirs.call("tr069", method, &table(arguments), later, now);
        bus.go(&mut theirs);
        match &bus.go(&mut ours)[..] {
            [Happening::Invoked(call)] => {
                let read = Request::read(call);
                ours.reply(call, Ok(&Map::new()), bus.now);
                bus.go(&mut theirs);
                read
            }
            other => panic!("{other:?}"),
        }
    };
    let bad = Err(Status::InvalidArgument);
    assert_eq!(read("notify", r#"{"parameter":"x"}"#), Ok(Request::Notify));
    assert_eq!(read("inform", "{}"), Ok(Request::Inform(None)));
    assert_eq!(read("inform", r#"{"event":""}"#), Ok(Request::Inform(None)));
    let event = Request::Inform(Some("8 DIAGNOSTICS COMPLETE".to_owned()));
    assert_eq!(
        read("inform", r#"{"event":"8 DIAGNOSTICS COMPLETE"}"#),
        Ok(event)
    );
    assert_eq!(read("inform", r#"{"event":["x"]}"#), bad);
    assert_eq!(read("inform", r#"{"event":"a\nb"}"#), bad);
    let long = format!(r#"{{"event":"{}"}}"#, "x".repeat(257));
    assert_eq!(read("inform", &long), bad);
    let reload = Request::Command("reload".to_owned());
    assert_eq!(read("command", r#"{"command":"reload"}"#), Ok(reload));
    assert_eq!(read("command", "{}"), bad);
    assert_eq!(read("status", "{}"), Ok(Request::Status));
}

#[test]
fn status_says_what_is_known() {
    let text = |text: &str| Some(text.to_owned());
    let status = object::Status {
        started: text("2025-11-23T00:00:00Z"),
        acs_url: text("https://acs.example/"),
        disabled: false,
        sessions: vec![
            Session {
                succeeded: true,
                started: text("2025-11-23T00:00:01Z"),
                ended: text("2025-11-23T00:00:02Z"),
                ..Session::default()
            },
            Session {
                started: text("2025-11-22T00:00:01Z"),
                ended: text("2025-11-22T00:00:02Z"),
                events: vec!["1 BOOT".to_owned()],
                why: text("no answer"),
                succeeded: false,
            },
        ],
        next: text("2025-11-24T00:00:01Z"),
        running: false,
        succeeded: 3,
        failed: 1,
    };
    let expected = r#"{
        "cwmp":{"status":"up","start_time":"2025-11-23T00:00:00Z","acs_url":"https://acs.example/"},
        "last_session":{"status":"success","start_time":"2025-11-23T00:00:01Z",
            "end_time":"2025-11-23T00:00:02Z"},
        "sessions":[
            {"status":"success","start_time":"2025-11-23T00:00:01Z","end_time":"2025-11-23T00:00:02Z"},
            {"status":"failure","start_time":"2025-11-22T00:00:01Z","end_time":"2025-11-22T00:00:02Z",
            "events":["1 BOOT"],"info":"no answer"}],
        "next_session":{"status":"waiting","start_time":"2025-11-24T00:00:01Z"},
        "statistics":{"success_sessions":3,"failure_sessions":1,"total_sessions":4}}"#;
    assert_eq!(status.answer(), table(expected));

    let nothing = object::Status::default().answer();
    let expected = r#"{"cwmp":{"status":"up"},"last_session":{"status":"none"},
        "sessions":[],
        "next_session":{"status":"none"},
        "statistics":{"success_sessions":0,"failure_sessions":0,"total_sessions":0}}"#;
    assert_eq!(nothing, table(expected));
    let running = object::Status {
        running: true,
        disabled: true,
        ..object::Status::default()
    };
    assert_eq!(running.answer()["cwmp"]["status"], Value::from("disabled"));
    assert_eq!(
        running.answer()["next_session"]["status"],
        Value::from("running")
    );
}
