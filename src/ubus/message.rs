//! The messages between ubusd and its clients: what they say, and their bytes.
//!
//! Each is a head of 8 bytes (version, kind, 16-bit sequence number, 32-bit peer, all
//! big-endian) and one blob of plain attributes. A reply carries the sequence number and
//! peer of its request. Nothing here touches a socket.

use serde_json::{Map, Value};

use super::blob::{Attribute, Attributes, BlobError, Writer};
use super::json;

/// The largest message ubusd passes on; what claims to be larger is no message.
pub const LARGEST: usize = 1024 * 1024;
/// The object that is ubusd itself: it takes events and registrations for them.
pub const EVENT_OBJECT: u32 = 1;

const HEAD: usize = 8;
const BLOB_HEAD: usize = 4;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// ubusd's first message; its peer is the client's own number.
    Hello,
    /// The last reply to a request.
    Status,
    /// A reply with something in it.
    Data,
    /// Asks for a sign of life.
    Ping,
    /// Asks for objects by their path.
    Lookup,
    /// Calls a method, or is a notification or an event on its way to a subscriber.
    Invoke,
    /// Offers an object.
    AddObject,
    /// Takes an object back.
    RemoveObject,
    /// Asks for an object's notifications.
    Subscribe,
    /// Wants no more of them; from ubusd: the object is gone.
    Unsubscribe,
    /// Tells an object's subscribers; from ubusd: whether there are any.
    Notify,
    /// Any other number.
    Other(u8),
}

const KINDS: [Kind; 11] = [
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

impl Kind {
    fn of(number: u8) -> Kind {
        let known = KINDS.get(usize::from(number));
        known.copied().unwrap_or(Kind::Other(number))
    }

    fn number(self) -> u8 {
        match self {
            Kind::Other(number) => number,
            // Eleven of them, so it is a byte.
            known => KINDS.iter().position(|k| *k == known).unwrap_or(0) as u8,
        }
    }
}

/// The head of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What it is.
    pub kind: Kind,
    /// Counts the requests of a client; a reply has that of its request.
    pub seq: u16,
    /// An object or a client: whom it is for, or whom it is from.
    pub peer: u32,
}

/// Where a message begins: its head, and how long it is with it; `None` while less than
/// its first 12 bytes are there. An error where these begin no message of ubus.
pub fn frame(bytes: &[u8]) -> Result<Option<(Head, usize)>, NoMessage> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else {
        return Ok(None);
    };
    let [version, kind, seq1, seq0, p3, p2, p1, p0] = *head;
    if version != 0 {
        return Err(NoMessage);
    }
    let Some(length) = rest.first_chunk::<BLOB_HEAD>() else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| NoMessage)?;
    // The bits above the length are those of a name and a number: zero here.
    if !(BLOB_HEAD..=LARGEST).contains(&length) {
        return Err(NoMessage);
    }
    let head = Head {
        kind: Kind::of(kind),
        seq: u16::from_be_bytes([seq1, seq0]),
        peer: u32::from_be_bytes([p3, p2, p1, p0]),
    };
    Ok(Some((head, HEAD + length)))
}

/// These bytes are no message of ubus, and none can follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMessage;

const STATUS: u8 = 1;
const PATH: u8 = 2;
const OBJECT: u8 = 3;
const METHOD: u8 = 4;
const OBJECT_TYPE: u8 = 5;
const SIGNATURE: u8 = 6;
const DATA: u8 = 7;
const TARGET: u8 = 8;
const ACTIVE: u8 = 9;
const NO_REPLY: u8 = 10;
const USER: u8 = 12;
const GROUP: u8 = 13;

/// The attributes of a message; which of them are there depends on its kind.
#[derive(Default, Clone, Copy)]
pub struct Body<'a> {
    /// How a request ended.
    pub status: Option<u32>,
    /// An object's path.
    pub path: Option<&'a str>,
    /// An object's number.
    pub object: Option<u32>,
    /// A method, or what happened.
    pub method: Option<&'a str>,
    /// Objects with the same signature have the same number here.
    pub object_type: Option<u32>,
    /// An object's methods, a blobmsg payload.
    pub signature: Option<&'a [u8]>,
    /// Arguments or an answer, a blobmsg payload.
    pub data: Option<&'a [u8]>,
    /// The object that is subscribed to.
    pub target: Option<u32>,
    /// Whether anybody has subscribed.
    pub active: bool,
    /// The caller waits for no reply.
    pub no_reply: bool,
    /// The user the caller runs as; ubusd fills it in.
    pub user: Option<&'a str>,
    /// The group the caller runs as; ubusd fills it in.
    pub group: Option<&'a str>,
}

impl<'a> Body<'a> {
    /// Reads a whole message of which [`frame`] has told the length. Attributes nobody
    /// knows are left out; one with a value of another type than its own is an error.
    pub fn read(message: &'a [u8]) -> Result<Body<'a>, BlobError> {
        let rest = message.get(HEAD + BLOB_HEAD..).ok_or(BlobError::Length)?;
        let mut body = Body::default();
        for attribute in Attributes::of(rest) {
            body.take(attribute?)?;
        }
        Ok(body)
    }

    fn take(&mut self, attribute: Attribute<'a>) -> Result<(), BlobError> {
        let wrong = BlobError::Value(attribute.id);
        let number = || attribute.number().ok_or(wrong);
        let flag = || match attribute.payload {
            [byte] => Ok(*byte != 0),
            _ => Err(wrong),
        };
        let text = || {
            let payload = attribute.payload.split(|b| *b == 0).next();
            let ended = attribute.payload.last() == Some(&0);
            let text = payload.and_then(|p| std::str::from_utf8(p).ok());
            text.filter(|_| ended).ok_or(wrong)
        };
        match attribute.id {
            STATUS => self.status = Some(number()?),
            PATH => self.path = Some(text()?),
            OBJECT => self.object = Some(number()?),
            METHOD => self.method = Some(text()?),
            OBJECT_TYPE => self.object_type = Some(number()?),
            SIGNATURE => self.signature = Some(attribute.payload),
            DATA => self.data = Some(attribute.payload),
            TARGET => self.target = Some(number()?),
            ACTIVE => self.active = flag()?,
            NO_REPLY => self.no_reply = flag()?,
            USER => self.user = Some(text()?),
            GROUP => self.group = Some(text()?),
            _ => {}
        }
        Ok(())
    }
}

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentType {
    /// A list.
    Array,
    /// A table.
    Table,
    /// A text.
    Text,
    /// A 64-bit number.
    Int64,
    /// A 32-bit number.
    Int32,
    /// A 16-bit number.
    Int16,
    /// A boolean.
    Bool,
    /// A floating point number.
    Double,
}

impl ArgumentType {
    /// The number that stands for it in a signature: that of the blobmsg type.
    fn number(self) -> i32 {
        match self {
            ArgumentType::Array => 1,
            ArgumentType::Table => 2,
            ArgumentType::Text => 3,
            ArgumentType::Int64 => 4,
            ArgumentType::Int32 => 5,
            ArgumentType::Int16 => 6,
            ArgumentType::Bool => 7,
            ArgumentType::Double => 8,
        }
    }
}

/// A method of an object that is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// Its arguments, all optional as far as ubus is concerned.
    pub arguments: &'static [(&'static str, ArgumentType)],
}

/// An object that is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    /// Its path, unique on the bus.
    pub path: &'static str,
    /// What it can be asked.
    pub methods: &'static [Method],
}

/// The whole message: its head, and a blob with what `fill` writes.
fn message(head: Head, fill: impl FnOnce(&mut Writer)) -> Result<Vec<u8>, BlobError> {
    let mut writer = Writer::new();
    writer.open(0);
    fill(&mut writer);
    writer.close();
    let blob = writer.finish()?;
    let mut bytes = Vec::with_capacity(HEAD + blob.len());
    bytes.extend([0, head.kind.number()]);
    bytes.extend(head.seq.to_be_bytes());
    bytes.extend(head.peer.to_be_bytes());
    bytes.extend(blob);
    Ok(bytes)
}

fn request(kind: Kind, seq: u16, peer: u32) -> Head {
    Head { kind, seq, peer }
}

/// Asks for the object at `path` (a `*` at its end asks for all that begin so), or for all.
pub fn lookup(seq: u16, path: Option<&str>) -> Result<Vec<u8>, BlobError> {
    message(request(Kind::Lookup, seq, 0), |w| {
        if let Some(path) = path {
            w.string(PATH, path);
        }
    })
}

/// Calls a method. `arguments` is a blobmsg payload.
pub fn invoke(seq: u16, object: u32, method: &str, arguments: &[u8]) -> Result<Vec<u8>, BlobError> {
    message(request(Kind::Invoke, seq, object), |w| {
        w.number(OBJECT, object);
        w.string(METHOD, method);
        w.attribute(DATA, arguments);
    })
}

/// Offers an object; `None` is one without a name and methods, which events and
/// notifications are sent to.
pub fn add_object(seq: u16, object: Option<&Object>) -> Result<Vec<u8>, BlobError> {
    message(request(Kind::AddObject, seq, 0), |w| {
        let Some(object) = object else { return };
        w.string(PATH, object.path);
        w.open(SIGNATURE);
        for method in object.methods {
            w.open_table(method.name);
            for (name, kind) in method.arguments {
                w.int32(name, kind.number());
            }
            w.close();
        }
        w.close();
    })
}

/// Asks that notifications of object `target` go to our object `object`.
pub fn subscribe(seq: u16, object: u32, target: u32) -> Result<Vec<u8>, BlobError> {
    message(request(Kind::Subscribe, seq, 0), |w| {
        w.number(OBJECT, object);
        w.number(TARGET, target);
    })
}

/// Tells the subscribers of our object what happened; nobody answers.
pub fn notify(
    seq: u16,
    object: u32,
    what: &str,
    about: &Map<String, Value>,
) -> Result<Vec<u8>, BlobError> {
    message(request(Kind::Notify, seq, object), |w| {
        w.number(OBJECT, object);
        w.string(METHOD, what);
        w.open(DATA);
        json::write(w, about);
        w.close();
        w.attribute(NO_REPLY, &[1]);
    })
}

/// Asks that events whose name fits `pattern` (a `*` at its end fits anything) go to our
/// object `object`.
pub fn register(seq: u16, object: u32, pattern: &str) -> Result<Vec<u8>, BlobError> {
    message(request(Kind::Invoke, seq, EVENT_OBJECT), |w| {
        w.number(OBJECT, EVENT_OBJECT);
        w.string(METHOD, "register");
        w.open(DATA);
        // A number like any other in 32 bits; only in JSON it would have a sign.
        w.int32("object", i32::from_be_bytes(object.to_be_bytes()));
        w.text("pattern", pattern);
        w.close();
    })
}

/// Sends an event to all who listen, as `ubus send` does.
pub fn send(seq: u16, event: &str, about: &Map<String, Value>) -> Result<Vec<u8>, BlobError> {
    message(request(Kind::Invoke, seq, EVENT_OBJECT), |w| {
        w.number(OBJECT, EVENT_OBJECT);
        w.string(METHOD, "send");
        w.open(DATA);
        w.text("id", event);
        w.open_table("data");
        json::write(w, about);
        w.close();
        w.close();
    })
}

/// An answer to a call of our object `object`; [`status`] must follow.
pub fn answer(to: Head, object: u32, table: &Map<String, Value>) -> Result<Vec<u8>, BlobError> {
    message(request(Kind::Data, to.seq, to.peer), |w| {
        w.number(OBJECT, object);
        w.open(DATA);
        json::write(w, table);
        w.close();
    })
}

/// The end of a call of our object `object`.
pub fn status(to: Head, object: u32, code: u32) -> Result<Vec<u8>, BlobError> {
    message(request(Kind::Status, to.seq, to.peer), |w| {
        w.number(STATUS, code);
        w.number(OBJECT, object);
    })
}
