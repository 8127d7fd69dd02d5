//! A stand-in for ubusd: a real Unix socket, the real one's messages, and whatever bad
//! manners a test asks for.
//!
//! It does nothing by itself: [`Ubusd::serve`] does what can be done now, so that a test
//! owns the order of things. [`Ubusd::run`] puts it on a thread for clients that wait.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use cwmp_agent::ubus::blob::Writer;
use cwmp_agent::ubus::json;
use cwmp_agent::ubus::message::{Body, Head, Kind, frame};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Map, Value};

pub type Table = Map<String, Value>;

/// A table from JSON text.
pub fn table(text: &str) -> Table {
    serde_json::from_str(text).unwrap()
}

/// What it does instead of what it should, from the next message on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manners {
    Good,
    /// Says nothing when a client comes.
    NoGreeting,
    /// Greets with bytes that are no message.
    GarbageGreeting,
    /// Ends each connection right after the greeting.
    Leaves,
    /// Does not answer calls.
    Silent,
    /// Ends the connection when a method is called.
    HangsUp,
    /// Answers a call with half a message, and ends the connection.
    HalfMessage,
    /// Answers a call with bytes that are no message.
    Garbage,
    /// Answers with a message that claims to have 16 MiB.
    HugeLength,
    /// Answers with a message of 300 KiB before the status.
    Large,
    /// Answers with 40 messages of 8 KiB before the status.
    Many,
    /// Answers without end.
    Endless,
    /// Sends replies to nothing without end.
    Strays,
    /// Answers as another object, then rightly.
    WrongPeer,
    /// Answers another request, then rightly.
    WrongSeq,
    /// Sends one byte at a time.
    Slow,
    /// The answer is a blob whose inner lengths lie.
    BrokenBlob,
}

struct Peer {
    id: u32,
    stream: UnixStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    gone: bool,
    endless: Option<Vec<u8>>,
}

struct Offered {
    path: String,
    id: u32,
    kind: u32,
    methods: Vec<u8>,
    /// `None`: ubusd answers for it, as the test said.
    owner: Option<u32>,
}

pub struct Ubusd {
    path: PathBuf,
    listener: UnixListener,
    peers: Vec<Peer>,
    objects: Vec<Offered>,
    next: u32,
    answers: BTreeMap<(String, String), Result<Table, u32>>,
    /// (object, receiver)
    subscriptions: Vec<(u32, u32)>,
    /// (receiver, pattern)
    patterns: Vec<(u32, String)>,
    pub manners: Manners,
    /// Calls of its own objects: path, method, arguments.
    pub calls: Vec<(String, String, Table)>,
    /// Events that were sent.
    pub events: Vec<(String, Table)>,
    /// How many clients have come.
    pub came: u32,
    /// Replies of clients that were passed on, or had nobody to go to.
    pub replies: u32,
    /// Paths nobody may offer.
    pub forbidden: Vec<String>,
    /// Objects of its own that do not answer.
    pub mute: Vec<String>,
}

impl Drop for Ubusd {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Ubusd {
    pub fn listen(path: &Path) -> Ubusd {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        Ubusd {
            path: path.to_owned(),
            listener,
            peers: Vec::new(),
            objects: Vec::new(),
            next: 0x1000_0000,
            answers: BTreeMap::new(),
            subscriptions: Vec::new(),
            patterns: Vec::new(),
            manners: Manners::Good,
            calls: Vec::new(),
            events: Vec::new(),
            came: 0,
            replies: 0,
            forbidden: Vec::new(),
            mute: Vec::new(),
        }
    }

    /// An object of its own with one method and its answer, a table or a status.
    pub fn answer(&mut self, path: &str, method: &str, answer: Result<&str, u32>) {
        let key = (path.to_owned(), method.to_owned());
        self.answers.insert(key, answer.map(table));
        let of_it = self.answers.keys().filter(|(p, _)| p == path);
        let methods: Table = of_it
            .map(|(_, m)| (m.clone(), Value::Object(Map::new())))
            .collect();
        let methods = json::payload(&methods).unwrap();
        match self.objects.iter_mut().find(|o| o.path == path) {
            Some(object) => object.methods = methods,
            None => {
                let (id, kind) = (self.number(), self.number());
                let path = path.to_owned();
                self.objects.push(Offered {
                    path,
                    id,
                    kind,
                    methods,
                    owner: None,
                });
            }
        }
    }

    /// An object is no more: who subscribed to it is told.
    pub fn withdraw(&mut self, path: &str) {
        let at = self.objects.iter().position(|o| o.path == path).unwrap();
        let gone = self.objects.remove(at).id;
        for (target, receiver) in std::mem::take(&mut self.subscriptions) {
            if target != gone {
                self.subscriptions.push((target, receiver));
                continue;
            }
            let told = message(Kind::Unsubscribe, 0, 0, |w| {
                w.number(3, receiver);
                w.number(8, gone);
            });
            let owner = self.owner(receiver);
            self.send(owner, told);
        }
    }

    /// A notification of one of its own objects.
    pub fn notify(&mut self, path: &str, what: &str, about: &str) {
        let id = self.objects.iter().find(|o| o.path == path).unwrap().id;
        self.tell_subscribers(id, 0, 7, what, &json::payload(&table(about)).unwrap());
    }

    /// An event, as from a program of the system.
    pub fn event(&mut self, name: &str, about: &str) {
        self.pass_event(name, &json::payload(&table(about)).unwrap());
    }

    pub fn paths(&self) -> Vec<&str> {
        let named = self.objects.iter().filter(|o| !o.path.is_empty());
        named.map(|o| o.path.as_str()).collect()
    }

    pub fn listeners(&self) -> usize {
        self.patterns.len()
    }

    pub fn subscribers(&self) -> usize {
        self.subscriptions.len()
    }

    /// Ends every connection.
    pub fn hang_up(&mut self) {
        for peer in &mut self.peers {
            peer.gone = true;
        }
        self.sweep();
    }

    /// What has something to say.
    pub fn fds(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let mut fds = vec![(self.listener.as_fd(), PollFlags::POLLIN)];
        for peer in &self.peers {
            let waits = !peer.outgoing.is_empty() || peer.endless.is_some();
            let mut flags = PollFlags::POLLIN;
            flags.set(PollFlags::POLLOUT, waits);
            fds.push((peer.stream.as_fd(), flags));
        }
        fds
    }

    /// Does what can be done now.
    pub fn serve(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            stream.set_nonblocking(true).unwrap();
            self.greet(stream);
        }
        for at in 0..self.peers.len() {
            let mut piece = [0; 4096];
            loop {
                let peer = &mut self.peers[at];
                match peer.stream.read(&mut piece) {
                    Ok(0) => peer.gone = true,
                    Ok(n) => {
                        peer.incoming.extend_from_slice(&piece[..n]);
                        continue;
                    }
                    Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => peer.gone = true,
                }
                break;
            }
            while let Some((head, length)) = frame(&self.peers[at].incoming).unwrap() {
                if self.peers[at].incoming.len() < length {
                    break;
                }
                let message: Vec<u8> = self.peers[at].incoming.drain(..length).collect();
                self.take(at, head, &message);
            }
        }
        let slow = self.manners == Manners::Slow;
        for peer in &mut self.peers {
            if let (Some(more), true) = (&peer.endless, peer.outgoing.is_empty()) {
                peer.outgoing = more.clone();
            }
            let most = if slow { 1 } else { peer.outgoing.len() };
            match peer
                .stream
                .write(&peer.outgoing[..most.min(peer.outgoing.len())])
            {
                Ok(n) => drop(peer.outgoing.drain(..n)),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(_) => peer.gone = true,
            }
        }
        self.sweep();
    }

    /// Forgets clients that are gone, with what was theirs.
    fn sweep(&mut self) {
        let gone: Vec<u32> = self.peers.iter().filter(|p| p.gone).map(|p| p.id).collect();
        self.peers.retain(|p| !p.gone);
        let objects = self.objects.iter();
        let theirs = objects.filter(|o| o.owner.is_some_and(|owner| gone.contains(&owner)));
        let theirs: Vec<u32> = theirs.map(|o| o.id).collect();
        self.objects.retain(|o| !theirs.contains(&o.id));
        let there = |id: &u32| !theirs.contains(id);
        self.subscriptions
            .retain(|(target, r)| there(target) && there(r));
        self.patterns.retain(|(receiver, _)| there(receiver));
    }

    fn number(&mut self) -> u32 {
        self.next += 0x0101_0101;
        self.next
    }

    fn owner(&self, object: u32) -> u32 {
        let object = self.objects.iter().find(|o| o.id == object).unwrap();
        object.owner.unwrap()
    }

    fn send(&mut self, to: u32, message: Vec<u8>) {
        if let Some(peer) = self.peers.iter_mut().find(|p| p.id == to) {
            peer.outgoing.extend(message);
        }
    }

    fn greet(&mut self, stream: UnixStream) {
        self.came += 1;
        let id = self.number();
        let outgoing = match self.manners {
            Manners::NoGreeting => Vec::new(),
            Manners::GarbageGreeting => b"220 mail.example ESMTP ready\r\n".to_vec(),
            _ => message(Kind::Hello, 0, id, |_| {}),
        };
        let mut peer = Peer {
            id,
            stream,
            incoming: Vec::new(),
            outgoing,
            gone: false,
            endless: None,
        };
        if self.manners == Manners::Leaves {
            peer.stream.write_all(&peer.outgoing).unwrap();
            peer.gone = true;
        }
        self.peers.push(peer);
    }

    fn take(&mut self, at: usize, head: Head, bytes: &[u8]) {
        let from = self.peers[at].id;
        let body = Body::read(bytes).unwrap();
        match head.kind {
            Kind::Lookup => {
                let wanted = body.path.unwrap_or("*");
                let fits = |o: &&Offered| !o.path.is_empty() && fits(wanted, &o.path);
                let found: Vec<Vec<u8>> = self
                    .objects
                    .iter()
                    .filter(fits)
                    .map(|o| {
                        message(Kind::Data, head.seq, head.peer, |w| {
                            w.string(2, &o.path);
                            w.number(3, o.id);
                            w.number(5, o.kind);
                            w.attribute(6, &o.methods);
                        })
                    })
                    .collect();
                let code = if found.is_empty() && body.path.is_some() {
                    4
                } else {
                    0
                };
                self.send(from, found.concat());
                self.send(from, status(head, code, None));
            }
            Kind::AddObject => {
                let path = body.path.unwrap_or_default().to_owned();
                let taken = !path.is_empty() && self.objects.iter().any(|o| o.path == path);
                if taken || self.forbidden.contains(&path) {
                    let code = if taken { 2 } else { 6 };
                    self.send(from, status(head, code, None));
                    return;
                }
                let (id, kind) = (self.number(), self.number());
                let named = !path.is_empty();
                self.objects.push(Offered {
                    path,
                    id,
                    kind,
                    methods: body.signature.unwrap_or_default().to_owned(),
                    owner: Some(from),
                });
                let data = message(Kind::Data, head.seq, 0, |w| {
                    w.number(3, id);
                    if named {
                        w.number(5, kind);
                    }
                });
                self.send(from, data);
                self.send(from, status(head, 0, None));
            }
            Kind::Subscribe => {
                let (receiver, target) = (body.object.unwrap(), body.target.unwrap());
                let there = self.objects.iter().any(|o| o.id == target);
                if there {
                    self.subscriptions.push((target, receiver));
                }
                self.send(from, status(head, if there { 0 } else { 4 }, None));
            }
            Kind::Notify => {
                let (what, data) = (body.method.unwrap(), body.data.unwrap());
                self.tell_subscribers(body.object.unwrap(), from, head.seq, what, data);
            }
            Kind::Invoke if head.peer == 1 => self.for_ubusd(from, head, &body),
            Kind::Invoke => self.invoke(from, head, &body),
            // A reply on its way back to who asked; the peer is then the object.
            Kind::Data | Kind::Status => {
                self.replies += 1;
                let mut passed = bytes.to_vec();
                passed[4..8].copy_from_slice(&body.object.unwrap().to_be_bytes());
                self.send(head.peer, passed);
            }
            other => panic!("a client sent {other:?}"),
        }
    }

    fn for_ubusd(&mut self, from: u32, head: Head, body: &Body<'_>) {
        let data = json::table(body.data.unwrap()).unwrap();
        match body.method.unwrap() {
            "send" => {
                let name = data["id"].as_str().unwrap().to_owned();
                let about = data["data"].as_object().unwrap().clone();
                self.pass_event(&name, &json::payload(&about).unwrap());
                self.events.push((name, about));
            }
            "register" => {
                let receiver = data["object"].as_i64().unwrap() as i32 as u32;
                let pattern = data["pattern"].as_str().unwrap().to_owned();
                self.patterns.push((receiver, pattern));
            }
            other => panic!("ubusd has no method {other}"),
        }
        self.send(from, status(head, 0, None));
    }

    fn pass_event(&mut self, name: &str, about: &[u8]) {
        for (receiver, pattern) in self.patterns.clone() {
            if fits(&pattern, name) {
                let told = message(Kind::Invoke, 1, 0, |w| {
                    w.number(3, receiver);
                    w.string(4, name);
                    w.attribute(7, about);
                });
                let owner = self.owner(receiver);
                self.send(owner, told);
            }
        }
    }

    fn tell_subscribers(&mut self, object: u32, from: u32, seq: u16, what: &str, about: &[u8]) {
        for (target, receiver) in self.subscriptions.clone() {
            if target == object {
                let told = message(Kind::Invoke, seq, from, |w| {
                    w.attribute(10, &[1]);
                    w.number(3, receiver);
                    w.string(4, what);
                    w.string(12, "root");
                    w.string(13, "root");
                    w.attribute(7, about);
                });
                let owner = self.owner(receiver);
                self.send(owner, told);
            }
        }
    }

    fn invoke(&mut self, from: u32, head: Head, body: &Body<'_>) {
        let (method, data) = (body.method.unwrap(), body.data.unwrap_or_default());
        let Some(object) = self.objects.iter().find(|o| Some(o.id) == body.object) else {
            self.send(from, status(head, 4, None));
            return;
        };
        if let Some(owner) = object.owner {
            let id = object.id;
            let passed = message(Kind::Invoke, head.seq, from, |w| {
                w.number(3, id);
                w.string(4, method);
                w.string(12, "root");
                w.string(13, "root");
                w.attribute(7, data);
            });
            self.send(owner, passed);
            return;
        }
        let key = (object.path.clone(), method.to_owned());
        let arguments = json::table(data).unwrap();
        self.calls.push((key.0.clone(), key.1.clone(), arguments));
        if self.mute.contains(&key.0) {
            return;
        }
        let end = |code| status(head, code, Some(head.peer));
        let reply = match self.answers.get(&key) {
            None => end(3),
            Some(Err(code)) => end(*code),
            Some(Ok(table)) => {
                let payload = json::payload(table).unwrap();
                let answer = |seq, peer| {
                    message(Kind::Data, seq, peer, |w| {
                        w.number(3, head.peer);
                        w.attribute(7, &payload);
                    })
                };
                [answer(head.seq, head.peer), end(0)].concat()
            }
        };
        self.misbehave(from, head, reply);
    }

    /// Sends what answers a call, or what the test's manners make of it.
    fn misbehave(&mut self, to: u32, head: Head, reply: Vec<u8>) {
        let data = |size: usize| {
            message(Kind::Data, head.seq, head.peer, |w| {
                w.number(3, head.peer);
                w.open(7);
                w.text("filler", &"x".repeat(size));
                w.close();
            })
        };
        let other = |seq, peer| {
            message(Kind::Data, seq, peer, |w| {
                w.open(7);
                w.text("whose", "another's");
                w.close();
            })
        };
        let peer = self.peers.iter_mut().find(|p| p.id == to).unwrap();
        match self.manners {
            Manners::Silent => {}
            Manners::HangsUp => peer.gone = true,
            Manners::HalfMessage => {
                let half = &reply[..reply.len() / 2];
                peer.stream.write_all(half).unwrap();
                peer.gone = true;
            }
            Manners::Garbage => peer.outgoing.extend(b"HTTP/1.1 200 OK\r\n\r\n<html>"),
            Manners::HugeLength => {
                peer.outgoing.extend([0, 2]);
                peer.outgoing.extend(head.seq.to_be_bytes());
                peer.outgoing.extend(head.peer.to_be_bytes());
                peer.outgoing.extend([0, 0xff, 0xff, 0xff]);
                peer.endless = Some(vec![0; 4096]);
            }
            Manners::Large => {
                // More than a writer of ours makes.
                let length = 300 * 1024_u32;
                peer.outgoing.extend([0, 2]);
                peer.outgoing.extend(head.seq.to_be_bytes());
                peer.outgoing.extend(head.peer.to_be_bytes());
                peer.outgoing.extend(length.to_be_bytes());
                peer.outgoing.extend(vec![0; length as usize - 4]);
                peer.outgoing.extend(status(head, 0, Some(head.peer)));
            }
            Manners::Many => {
                for _ in 0..40 {
                    peer.outgoing.extend(data(8 * 1024));
                }
                peer.outgoing.extend(status(head, 0, Some(head.peer)));
            }
            Manners::Endless => peer.endless = Some(data(1).repeat(100)),
            Manners::Strays => peer.endless = Some(other(head.seq ^ 0x4000, 5).repeat(100)),
            Manners::WrongPeer => {
                peer.outgoing.extend(other(head.seq, head.peer ^ 1));
                peer.outgoing.extend(status(
                    Head {
                        peer: head.peer ^ 1,
                        ..head
                    },
                    9,
                    None,
                ));
                peer.outgoing.extend(reply);
            }
            Manners::WrongSeq => {
                peer.outgoing
                    .extend(other(head.seq.wrapping_add(7), head.peer));
                peer.outgoing.extend(reply);
            }
            Manners::BrokenBlob => {
                let mut broken = data(20);
                let at = broken.len() - 32;
                broken[at] = 0xff;
                broken[at - 9] = 0xff;
                peer.outgoing.extend(broken);
                peer.outgoing.extend(status(head, 0, Some(head.peer)));
            }
            _ => peer.outgoing.extend(reply),
        }
    }

    /// Puts it on a thread of its own.
    pub fn run(self) -> Running {
        let (wake, woken) = UnixStream::pair().unwrap();
        woken.set_nonblocking(true).unwrap();
        let ubusd = Arc::new(Mutex::new(self));
        let its = Arc::clone(&ubusd);
        let thread = std::thread::spawn(move || {
            loop {
                let mut ubusd = its.lock().unwrap();
                ubusd.serve();
                let slow = ubusd.manners == Manners::Slow;
                let fds = ubusd.fds();
                let mut fds: Vec<PollFd> = fds
                    .into_iter()
                    .map(|(fd, flags)| PollFd::new(fd, flags))
                    .collect();
                fds.push(PollFd::new(woken.as_fd(), PollFlags::POLLIN));
                // The lock must not be held while waiting: wait a little, and look again.
                poll(&mut fds, PollTimeout::ZERO).unwrap();
                let idle = !fds.iter().any(|fd| fd.any() == Some(true)) || slow;
                drop(fds);
                drop(ubusd);
                let mut ended = [PollFd::new(woken.as_fd(), PollFlags::POLLIN)];
                let wait = PollTimeout::from(u8::from(idle));
                if poll(&mut ended, wait).unwrap() > 0 {
                    return;
                }
            }
        });
        Running {
            ubusd,
            wake: Some(wake),
            thread: Some(thread),
        }
    }
}

/// On a thread, until dropped.
pub struct Running {
    ubusd: Arc<Mutex<Ubusd>>,
    wake: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub fn with<T>(&self, f: impl FnOnce(&mut Ubusd) -> T) -> T {
        f(&mut self.ubusd.lock().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.wake.take());
        let _ = self.thread.take().unwrap().join();
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => pattern == name,
    }
}

fn message(kind: Kind, seq: u16, peer: u32, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.open(0);
    fill(&mut writer);
    writer.close();
    let kinds = [
        Kind::Hello,
        Kind::Status,
        Kind::Data,
        Kind::Ping,
        Kind::Lookup,
        Kind::Invoke,
        Kind::AddObject,
        Kind::RemoveObject,
        Kind::Subscribe,
        Kind::Unsubscribe,
        Kind::Notify,
    ];
    let number = kinds.iter().position(|k| *k == kind).unwrap();
    let mut bytes = vec![0, number as u8];
    bytes.extend(seq.to_be_bytes());
    bytes.extend(peer.to_be_bytes());
    bytes.extend(writer.finish().unwrap());
    bytes
}

fn status(to: Head, code: u32, object: Option<u32>) -> Vec<u8> {
    message(Kind::Status, to.seq, to.peer, |w| {
        w.number(1, code);
        if let Some(object) = object {
            w.number(3, object);
        }
    })
}
