//! Held against what the real ubusd and its clients wrote: every message of theirs is
//! read, and what we write in their place is the same, byte for byte.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cwmp_agent::ubus::blob::{Step, Walk, Writer};
use cwmp_agent::ubus::message::{Body, Kind, frame};
use cwmp_agent::ubus::{
    Answer, ArgumentType, CallError, Client, ClientConfig, Happening, Method, Object, Status, json,
};
use nix::poll::{PollFd, PollTimeout, poll};
use serde_json::{Map, Value};

mod scratch;
mod shared;

use scratch::Scratch;

/// What one recvmsg returned on a connection; `out`: what the client wrote.
#[derive(Clone)]
struct Chunk {
    connection: u32,
    out: bool,
    bytes: Vec<u8>,
}

fn capture() -> Option<Vec<Chunk>> {
    let folder = shared::find("ubus-oracle")?;
    let text = std::fs::read_to_string(folder.join("capture.jsonl")).unwrap();
    // Lines that say what was done are no JSON where they quote some.
    let lines = text.lines().filter(|l| !l.starts_with("[0,"));
    let chunks: Vec<Chunk> = lines
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let hex = line[2].as_str().unwrap().as_bytes();
            let digit = |d: u8| char::from(d).to_digit(16).unwrap() as u8;
            Chunk {
                connection: line[0].as_u64().unwrap() as u32,
                out: line[1] == ">",
                bytes: hex
                    .chunks(2)
                    .map(|d| digit(d[0]) << 4 | digit(d[1]))
                    .collect(),
            }
        })
        .collect();
    assert!(chunks.len() > 90, "{} chunks", chunks.len());
    Some(chunks)
}

/// Each direction of each connection, whole messages in their order.
fn messages(chunks: &[Chunk]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for connection in 1..=16 {
        for out in [false, true] {
            let of = chunks
                .iter()
                .filter(|c| c.connection == connection && c.out == out);
            let mut stream: Vec<u8> = of.flat_map(|c| c.bytes.clone()).collect();
            while let Some((_, length)) = frame(&stream).expect("a message") {
                let rest = stream.split_off(length);
                all.push(std::mem::replace(&mut stream, rest));
            }
            assert!(stream.is_empty(), "half a message on {connection}");
        }
    }
    all
}

/// The same values, written by us.
fn rewritten(payload: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    for step in Walk::through(payload) {
        let (name, step) = step.unwrap();
        let name = std::str::from_utf8(name).unwrap();
        match step {
            Step::Table => writer.open_table(name),
            Step::Array => writer.open_array(name),
            Step::Close => writer.close(),
            Step::Null => writer.null(name),
            Step::Text(text) => writer.text(name, std::str::from_utf8(text).unwrap()),
            Step::Int64(n) => writer.int64(name, n),
            Step::Int32(n) => writer.int32(name, n),
            Step::Int16(n) => writer.int16(name, n),
            Step::Bool(b) => writer.bool(name, b),
            Step::Double(n) => writer.double(name, n),
        }
    }
    writer.finish().unwrap()
}

#[test]
fn every_message_of_the_real_ones_is_read_and_its_values_written_the_same() {
    let Some(chunks) = capture() else { return };
    let mut kinds = Vec::new();
    for message in messages(&chunks) {
        let (head, _) = frame(&message).unwrap().unwrap();
        let body = Body::read(&message).unwrap();
        for payload in [body.data, body.signature].into_iter().flatten() {
            assert_eq!(rewritten(payload), payload);
            json::table(payload).unwrap();
        }
        assert!(!matches!(head.kind, Kind::Other(_)), "{head:?}");
        // Each kind says what it is for.
        let says = match head.kind {
            Kind::Status => body.status.is_some(),
            Kind::Invoke => body.object.is_some() && body.method.is_some() && body.data.is_some(),
            Kind::Subscribe => body.object.is_some() && body.target.is_some(),
            _ => true,
        };
        assert!(says, "{head:?}");
        if !kinds.contains(&head.kind) {
            kinds.push(head.kind);
        }
    }
    assert_eq!(kinds.len(), 8, "{kinds:?}");
}

#[test]
fn every_type_of_value_is_shown_as_the_ubus_program_does() {
    let Some(chunks) = capture() else { return };
    let types = answers(&chunks, 5);
    let expected = r#"{"bool_true":true,"bool_false":false,"u16":-1,"u32":-1,
        "minus_one":-1,"u64":-1,"double":-0.5,"string":"café","empty":"","table":{},
        "array":["x",7],"unspec":null}"#;
    let expected: Map<String, Value> = serde_json::from_str(expected).unwrap();
    assert_eq!(types[0], expected);
}

/// What methods answered on this connection of a client.
fn answers(chunks: &[Chunk], connection: u32) -> Vec<Map<String, Value>> {
    let of: Vec<Chunk> = chunks
        .iter()
        .filter(|c| c.connection == connection)
        .cloned()
        .collect();
    let mut tables = Vec::new();
    for message in messages(&of) {
        let (head, _) = frame(&message).unwrap().unwrap();
        let data = Body::read(&message).unwrap().data;
        if let (Kind::Data, Some(data)) = (head.kind, data) {
            tables.push(json::table(data).unwrap());
        }
    }
    tables
}

/// Plays ubusd on one connection: says what it said, and expects what it was told.
struct Replay {
    scratch: Scratch,
    thread: JoinHandle<()>,
}

impl Replay {
    /// `piece`: how many bytes go out at once.
    fn of(chunks: Vec<Chunk>, piece: usize) -> Replay {
        let scratch = Scratch::new();
        let listener = UnixListener::bind(scratch.path("ubus.sock")).unwrap();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
            for (n, chunk) in chunks.into_iter().enumerate() {
                if chunk.out {
                    let mut told = vec![0; chunk.bytes.len()];
                    stream.read_exact(&mut told).unwrap();
                    let (told, right) = (told.escape_ascii(), chunk.bytes.escape_ascii());
                    assert_eq!(told.to_string(), right.to_string(), "chunk {n}");
                } else {
                    for bytes in chunk.bytes.chunks(piece) {
                        stream.write_all(bytes).unwrap();
                    }
                }
            }
            // And nothing more.
            let mut more = Vec::new();
            stream.set_nonblocking(true).unwrap();
            let _ = stream.read_to_end(&mut more);
            assert!(more.is_empty(), "{}", more.escape_ascii());
        });
        Replay { scratch, thread }
    }

    /// Ends when ubusd has ended the connection.
    fn drive(self, config: ClientConfig, mut each: impl FnMut(&mut Client, Happening)) {
        let socket = self.scratch.path("ubus.sock");
        let begun = Instant::now();
        let mut client = Client::new(ClientConfig { socket, ..config }, begun);
        client.tick(begun);
        loop {
            while let Some(happening) = client.next_happening() {
                if happening == Happening::Disconnected {
                    self.thread.join().unwrap();
                    return;
                }
                each(&mut client, happening);
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "ubusd waits");
            if let Some((fd, flags)) = client.fd() {
                let mut fds = [PollFd::new(fd, flags)];
                poll(&mut fds, PollTimeout::from(100_u8)).unwrap();
            }
            client.ready(Instant::now());
        }
    }
}

fn of(chunks: &[Chunk], connection: u32) -> Vec<Chunk> {
    chunks
        .iter()
        .filter(|c| c.connection == connection)
        .cloned()
        .collect()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// Makes one call in place of the client with this number; what comes of it.
fn call(
    chunks: &[Chunk],
    connection: u32,
    piece: usize,
    ask: impl Fn(&mut Client),
) -> Result<Answer, CallError> {
    let replay = Replay::of(of(chunks, connection), piece);
    let mut answer = None;
    replay.drive(ClientConfig::default(), |client, happening| {
        match happening {
            Happening::Connected => ask(client),
            Happening::Answered(_, outcome) => assert!(answer.replace(outcome).is_none()),
            other => panic!("{other:?}"),
        };
    });
    answer.expect("an answer")
}

fn method(
    chunks: &[Chunk],
    connection: u32,
    path: &str,
    name: &str,
    arguments: &str,
) -> Result<Vec<Map<String, Value>>, CallError> {
    let arguments: Map<String, Value> = serde_json::from_str(arguments).unwrap();
    let mut outcomes = [4096, 1].map(|piece| {
        call(chunks, connection, piece, |client| {
            client.call(path, name, &arguments, soon(), Instant::now());
        })
    });
    assert_eq!(outcomes[0], outcomes[1], "pieces do not matter");
    match std::mem::replace(&mut outcomes[0], Err(CallError::Busy))? {
        Answer::Tables(tables) => Ok(tables),
        Answer::Objects(found) => panic!("{found:?}"),
    }
}

#[test]
fn calls_are_written_and_their_answers_read_as_by_the_ubus_program() {
    let Some(chunks) = capture() else { return };
    let board = method(&chunks, 4, "system", "board", "{}").unwrap();
    assert_eq!(board[0]["release"]["version"], "23.05.3");
    let types = method(&chunks, 5, "system", "types", "{}").unwrap();
    assert_eq!(types, answers(&chunks, 5));
    let dump = method(&chunks, 6, "network.interface", "dump", "{}").unwrap();
    assert_eq!(dump[0]["interface"][1]["l3_device"], "pppoe-wan");
    let status = |connection, arguments| {
        method(
            &chunks,
            connection,
            "network.interface",
            "status",
            arguments,
        )
    };
    assert_eq!(status(7, r#"{"interface":"wan"}"#).unwrap()[0]["up"], true);
    let refused = |status| Err(CallError::Refused(status));
    assert_eq!(
        status(8, r#"{"interface":"nope"}"#),
        refused(Status::NotFound)
    );
    assert_eq!(status(9, "{}"), refused(Status::InvalidArgument));
    assert_eq!(
        method(&chunks, 10, "nosuch", "x", "{}"),
        refused(Status::NotFound)
    );
    assert_eq!(
        method(&chunks, 11, "system", "nosuch", "{}"),
        refused(Status::MethodNotFound)
    );
}

#[test]
fn objects_are_looked_up_with_their_methods() {
    let Some(chunks) = capture() else { return };
    for connection in [2, 3] {
        let listed = call(&chunks, connection, 7, |client| {
            client.lookup(None, soon(), Instant::now());
        });
        let Ok(Answer::Objects(found)) = listed else {
            panic!("{listed:?}")
        };
        let paths: Vec<&str> = found.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["network.interface", "system"]);
        let methods: Vec<&String> = found[0].methods.keys().collect();
        assert_eq!(methods, ["dump", "status", "fire"]);
        assert_eq!(found[0].methods["status"]["interface"], 3);
    }
}

#[test]
fn an_event_is_sent_as_by_the_ubus_program() {
    let Some(chunks) = capture() else { return };
    let about = serde_json::from_str(r#"{"package":"network"}"#).unwrap();
    let sent = call(&chunks, 12, 4096, |client| {
        client.send("service.test", &about, soon(), Instant::now());
    });
    assert_eq!(sent, Ok(Answer::Tables(Vec::new())));
}

#[test]
fn who_subscribes_gets_the_notifications() {
    let Some(chunks) = capture() else { return };
    let replay = Replay::of(of(&chunks, 13), 5);
    let config = ClientConfig {
        subscriptions: vec!["network.interface".to_owned()],
        ..ClientConfig::default()
    };
    let mut told = Vec::new();
    replay.drive(config, |_, happening| {
        if let Happening::Notified(path, what, about) = happening {
            told.push(format!("{path} {what} {}", Value::Object(about)));
        }
    });
    let ifup = r#"network.interface interface.update {"action":"ifup","interface":"wan"}"#;
    assert_eq!(told, [ifup, ifup]);
}

#[test]
fn who_listens_gets_the_event_and_says_so() {
    let Some(chunks) = capture() else { return };
    let replay = Replay::of(of(&chunks, 15), 4096);
    let config = ClientConfig {
        events: vec!["network.interface".to_owned()],
        ..ClientConfig::default()
    };
    let mut told = Vec::new();
    replay.drive(config, |_, happening| {
        if let Happening::Event(name, about) = happening {
            told.push(format!("{name} {}", Value::Object(about)));
        }
    });
    assert_eq!(
        told,
        [r#"network.interface {"action":"ifup","interface":"wan"}"#]
    );
}

const SYSTEM: Object = Object {
    path: "system",
    methods: &[
        Method {
            name: "board",
            arguments: &[],
        },
        Method {
            name: "types",
            arguments: &[],
        },
    ],
};

const INTERFACE: Object = Object {
    path: "network.interface",
    methods: &[
        Method {
            name: "dump",
            arguments: &[],
        },
        Method {
            name: "status",
            arguments: &[("interface", ArgumentType::Text)],
        },
        Method {
            name: "fire",
            arguments: &[],
        },
    ],
};

#[test]
fn objects_are_offered_and_answer_as_the_real_provider_did() {
    let Some(chunks) = capture() else { return };
    // JSON has not all the types that `types` answers: that call is left out.
    let mut of_provider = of(&chunks, 1);
    let asks_types = |c: &Chunk| !c.out && c.bytes.windows(5).any(|w| w == b"types");
    let at = of_provider.iter().position(asks_types).unwrap();
    of_provider.drain(at..at + 3);

    let replay = Replay::of(of_provider, 3);
    let config = ClientConfig {
        objects: vec![SYSTEM, INTERFACE],
        ..ClientConfig::default()
    };
    let board = answers(&chunks, 4).remove(0);
    let dump = answers(&chunks, 6).remove(0);
    let wan = answers(&chunks, 7).remove(0);
    let ifup = serde_json::from_str(r#"{"action":"ifup","interface":"wan"}"#).unwrap();
    let mut offered = Vec::new();
    let mut called = 0;
    replay.drive(config, |client, happening| {
        let now = Instant::now();
        let call = match happening {
            Happening::Offered(path) => return offered.push(path),
            Happening::Invoked(call) => call,
            Happening::Connected | Happening::Answered(_, Ok(_)) => return,
            other => panic!("{other:?}"),
        };
        called += 1;
        assert_eq!(call.user.as_deref(), Some("root"));
        let interface = call.arguments.get("interface").and_then(Value::as_str);
        match (call.object, call.method, interface) {
            ("system", "board", _) => client.reply(&call, Ok(&board), now),
            ("network.interface", "dump", _) => client.reply(&call, Ok(&dump), now),
            ("network.interface", "status", Some("wan")) => client.reply(&call, Ok(&wan), now),
            ("network.interface", "status", Some(_)) => {
                client.reply(&call, Err(Status::NotFound), now);
            }
            ("network.interface", "status", None) => {
                client.reply(&call, Err(Status::InvalidArgument), now);
            }
            ("network.interface", "fire", _) => {
                client.notify("network.interface", "interface.update", &ifup, now);
                client.send("network.interface", &ifup, soon(), now);
                client.reply(&call, Ok(&Map::new()), now);
            }
            _ => panic!("{call:?}"),
        }
    });
    assert_eq!(offered, ["system", "network.interface"]);
    // `nosuch` of `system` was refused by the client itself.
    assert_eq!(called, 7);
}
