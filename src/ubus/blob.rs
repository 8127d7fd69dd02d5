//! blob and blobmsg, the binary format of every ubus message.
//!
//! A blob is a row of attributes: a 32-bit big-endian head (flag, 7-bit number, 24-bit
//! length with the head in it), the payload, and zeros up to a multiple of four. blobmsg
//! is what JSON is in it: the flag is set, the number is the type, and the payload begins
//! with a name (empty in arrays): 16-bit length, the text, a NUL, zeros up to four.
//!
//! Reading borrows and never copies; it is iterative and bounded in depth and count, as
//! the bytes come from other programs. It never shows a value in `Debug` of an error.

use std::fmt;

/// The largest blob that is written, and the largest that a client takes, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;
/// How deep tables and arrays may lie in each other.
pub const MAX_DEPTH: usize = 32;
/// How many values one blob may have; each costs far more memory than the 8 bytes it may
/// take in the message.
pub const MAX_VALUES: usize = 16_384;

const HEAD: usize = 4;
const FLAG: u32 = 0x8000_0000;
const LENGTH: u32 = 0x00ff_ffff;

const NULL: u8 = 0;
const ARRAY: u8 = 1;
const TABLE: u8 = 2;
const TEXT: u8 = 3;
const INT64: u8 = 4;
const INT32: u8 = 5;
const INT16: u8 = 6;
const BOOL: u8 = 7;
const DOUBLE: u8 = 8;

/// Why bytes are no blob, or values fit into none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobError {
    /// An attribute reaches beyond its surroundings, or is shorter than its head.
    Length,
    /// A name without its NUL, with one inside, or none where one belongs.
    Name,
    /// A value of the type with this number has another size, or no NUL at its end.
    Value(u8),
    /// There is no blobmsg type with this number.
    Type(u8),
    /// More than [`MAX_DEPTH`] tables and arrays in each other.
    Depth,
    /// More than [`MAX_VALUES`] values.
    Count,
    /// More than [`MAX_BYTES`].
    Size,
    /// A text to be written has a NUL in it, or a name more than 65,535 bytes.
    Text,
    /// Not as many tables and arrays were closed as opened.
    Unbalanced,
}

impl fmt::Display for BlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlobError::Length => f.write_str("an attribute is longer or shorter than its place"),
            BlobError::Name => f.write_str("a value's name does not end as it should"),
            BlobError::Value(kind) => write!(f, "a value of type {kind} has a wrong size"),
            BlobError::Type(kind) => write!(f, "there is no value type {kind}"),
            BlobError::Depth => write!(f, "more than {MAX_DEPTH} tables in each other"),
            BlobError::Count => write!(f, "more than {MAX_VALUES} values"),
            BlobError::Size => write!(f, "more than {MAX_BYTES} bytes"),
            BlobError::Text => f.write_str("a text with a NUL in it, or too long a name"),
            BlobError::Unbalanced => f.write_str("a table or array was not closed"),
        }
    }
}

impl std::error::Error for BlobError {}

/// The length with the zeros that follow, up to a multiple of four.
fn padded(length: usize) -> usize {
    length.saturating_add(3) & !3
}

/// One attribute as it stands in the message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its number (0–127): which attribute of a message, or the type of a blobmsg value.
    pub id: u8,
    /// The flag that tells blobmsg from a plain attribute.
    pub named: bool,
    /// What follows the head, without the zeros at the end.
    pub payload: &'a [u8],
}

impl Attribute<'_> {
    /// The payload as a 32-bit number; `None` where it has another size.
    pub fn number(&self) -> Option<u32> {
        Some(u32::from_be_bytes(self.payload.try_into().ok()?))
    }

    /// The payload as text up to its NUL; `None` where it has none or is no UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(up_to_nul(self.payload)?).ok()
    }
}

/// What stands before the first NUL of a text that must end in one.
fn up_to_nul(payload: &[u8]) -> Option<&[u8]> {
    let (last, _) = payload.split_last()?;
    (*last == 0).then_some(())?;
    payload.split(|b| *b == 0).next()
}

/// The attributes in a payload, in their order; after an error none follow.
#[derive(Clone)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// The attributes that lie in `payload`.
    pub fn of(payload: &'a [u8]) -> Attributes<'a> {
        Attributes { rest: payload }
    }

    fn take(&mut self) -> Option<Attribute<'a>> {
        let (head, _) = self.rest.split_first_chunk::<HEAD>()?;
        let head = u32::from_be_bytes(*head);
        let length = usize::try_from(head & LENGTH).ok()?;
        let payload = self.rest.get(HEAD..length)?;
        self.rest = self.rest.get(padded(length)..)?;
        Some(Attribute {
            id: (head >> 24) as u8 & 0x7f,
            named: head & FLAG != 0,
            payload,
        })
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, BlobError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let taken = self.take();
        if taken.is_none() {
            self.rest = &[];
        }
        Some(taken.ok_or(BlobError::Length))
    }
}

/// What stands at one place of a blobmsg tree, in the order of the bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step<'a> {
    /// A table begins; its values follow up to its [`Step::Close`].
    Table,
    /// An array begins; its values follow up to its [`Step::Close`], without names.
    Array,
    /// The innermost table or array ends.
    Close,
    /// Nothing (`null`).
    Null,
    /// A text, without its NUL; not always UTF-8.
    Text(&'a [u8]),
    /// A 64-bit number; whether it was meant with a sign is not said in the message.
    Int64(i64),
    /// A 32-bit number.
    Int32(i32),
    /// A 16-bit number.
    Int16(i16),
    /// An 8-bit number: blobmsg's boolean.
    Bool(bool),
    /// A floating point number, any bits.
    Double(f64),
}

/// Walks through the values of a blobmsg payload: a name and what it names. After an
/// error nothing follows.
#[derive(Clone)]
pub struct Walk<'a> {
    /// What is left of each table and array that is open.
    open: Vec<Attributes<'a>>,
    values: usize,
}

impl<'a> Walk<'a> {
    /// Walks through the values that lie in `payload` (that of a DATA attribute, say).
    pub fn through(payload: &'a [u8]) -> Walk<'a> {
        Walk {
            open: vec![Attributes::of(payload)],
            values: 0,
        }
    }

    fn step(&mut self, attribute: Attribute<'a>) -> Result<(&'a [u8], Step<'a>), BlobError> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(BlobError::Count);
        }
        let (name, value) = split_name(attribute)?;
        let wrong = BlobError::Value(attribute.id);
        let step = match attribute.id {
            NULL => Step::Null,
            ARRAY | TABLE if self.open.len() > MAX_DEPTH => return Err(BlobError::Depth),
            ARRAY | TABLE => {
                self.open.push(Attributes::of(value));
                let table = attribute.id == TABLE;
                if table { Step::Table } else { Step::Array }
            }
            TEXT => Step::Text(up_to_nul(value).ok_or(wrong)?),
            INT64 => Step::Int64(i64::from_be_bytes(exact(value).ok_or(wrong)?)),
            INT32 => Step::Int32(i32::from_be_bytes(exact(value).ok_or(wrong)?)),
            INT16 => Step::Int16(i16::from_be_bytes(exact(value).ok_or(wrong)?)),
            BOOL => Step::Bool(exact::<1>(value).ok_or(wrong)? != [0]),
            DOUBLE => Step::Double(f64::from_be_bytes(exact(value).ok_or(wrong)?)),
            other => return Err(BlobError::Type(other)),
        };
        Ok((name, step))
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Result<(&'a [u8], Step<'a>), BlobError>;

    fn next(&mut self) -> Option<Self::Item> {
        let inner = self.open.last_mut()?;
        let found = match inner.next() {
            None => {
                self.open.pop();
                // The outermost row is not a value: nobody opened it.
                return (!self.open.is_empty()).then_some(Ok((&[], Step::Close)));
            }
            Some(Ok(attribute)) => self.step(attribute),
            Some(Err(e)) => Err(e),
        };
        if found.is_err() {
            self.open.clear();
        }
        Some(found)
    }
}

fn exact<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    value.try_into().ok()
}

/// A blobmsg value's name and what follows it.
fn split_name(attribute: Attribute<'_>) -> Result<(&[u8], &[u8]), BlobError> {
    let split = || {
        let (length, text) = attribute.payload.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let name = text.get(..length)?;
        // The first NUL is where it says the name ends.
        let ends = *text.get(length)? == 0 && !name.contains(&0);
        ends.then_some(())?;
        // The zeros are counted from the name's length field on.
        Some((name, attribute.payload.get(padded(length + 3)..)?))
    };
    attribute.named.then(split).flatten().ok_or(BlobError::Name)
}

/// An attribute of which the end is not yet written.
struct Open {
    start: usize,
    /// It is a blobmsg value.
    named: bool,
}

/// Writes a row of attributes and values. What does not fit makes [`Writer::finish`] fail,
/// so that the calls between need no checks.
#[derive(Default)]
pub struct Writer {
    bytes: Vec<u8>,
    /// Where the attributes begin that are still open.
    open: Vec<Open>,
    values: usize,
    failed: Option<BlobError>,
}

impl Writer {
    /// Nothing written yet.
    pub fn new() -> Writer {
        Writer::default()
    }

    /// A plain attribute with this payload.
    pub fn attribute(&mut self, id: u8, payload: &[u8]) {
        self.begin(id, false);
        self.push(payload);
        self.close();
    }

    /// A plain attribute with a 32-bit number.
    pub fn number(&mut self, id: u8, value: u32) {
        self.attribute(id, &value.to_be_bytes());
    }

    /// A plain attribute with a text.
    pub fn string(&mut self, id: u8, text: &str) {
        self.begin(id, false);
        self.push_text(text);
        self.close();
    }

    /// A plain attribute begins; what is written up to [`Writer::close`] lies in it.
    pub fn open(&mut self, id: u8) {
        self.begin(id, false);
    }

    /// A table begins, up to [`Writer::close`]. Names are empty in arrays.
    pub fn open_table(&mut self, name: &str) {
        self.check_depth();
        self.begin_value(name, TABLE);
    }

    /// An array begins, up to [`Writer::close`].
    pub fn open_array(&mut self, name: &str) {
        self.check_depth();
        self.begin_value(name, ARRAY);
    }

    /// A text. One with a NUL in it cannot be written.
    pub fn text(&mut self, name: &str, text: &str) {
        self.begin_value(name, TEXT);
        self.push_text(text);
        self.close();
    }

    /// A 64-bit number.
    pub fn int64(&mut self, name: &str, value: i64) {
        self.value(name, INT64, &value.to_be_bytes());
    }

    /// A 32-bit number.
    pub fn int32(&mut self, name: &str, value: i32) {
        self.value(name, INT32, &value.to_be_bytes());
    }

    /// A 16-bit number.
    pub fn int16(&mut self, name: &str, value: i16) {
        self.value(name, INT16, &value.to_be_bytes());
    }

    /// A boolean (an 8-bit number).
    pub fn bool(&mut self, name: &str, value: bool) {
        self.value(name, BOOL, &[u8::from(value)]);
    }

    /// A floating point number.
    pub fn double(&mut self, name: &str, value: f64) {
        self.value(name, DOUBLE, &value.to_be_bytes());
    }

    /// Nothing.
    pub fn null(&mut self, name: &str) {
        self.value(name, NULL, &[]);
    }

    /// The innermost attribute, table or array that is open ends here.
    pub fn close(&mut self) {
        let Some(Open { start, .. }) = self.open.pop() else {
            self.fail(BlobError::Unbalanced);
            return;
        };
        let length = self.bytes.len().saturating_sub(start);
        let head = self
            .bytes
            .get_mut(start..)
            .and_then(|b| b.first_chunk_mut::<HEAD>());
        // Shorter than MAX_BYTES, so it stays within its 24 bits.
        let (Some(head), Ok(length)) = (head, u32::try_from(length)) else {
            return;
        };
        *head = (u32::from_be_bytes(*head) | length).to_be_bytes();
        self.pad();
    }

    /// The bytes. An error where they were too many, too deep, or not closed, or where a
    /// text or name cannot be written.
    pub fn finish(self) -> Result<Vec<u8>, BlobError> {
        match self.failed {
            Some(e) => Err(e),
            None if !self.open.is_empty() => Err(BlobError::Unbalanced),
            None => Ok(self.bytes),
        }
    }

    fn check_depth(&mut self) {
        if self.open.iter().filter(|o| o.named).count() >= MAX_DEPTH {
            self.fail(BlobError::Depth);
        }
    }

    fn value(&mut self, name: &str, kind: u8, payload: &[u8]) {
        self.begin_value(name, kind);
        self.push(payload);
        self.close();
    }

    fn begin_value(&mut self, name: &str, kind: u8) {
        self.begin(kind, true);
        self.values += 1;
        if self.values > MAX_VALUES {
            self.fail(BlobError::Count);
        }
        let Ok(length) = u16::try_from(name.len()) else {
            self.fail(BlobError::Text);
            return;
        };
        self.push(&length.to_be_bytes());
        self.push_text(name);
        self.pad();
    }

    fn begin(&mut self, id: u8, named: bool) {
        let start = self.bytes.len();
        self.open.push(Open { start, named });
        let flag = if named { FLAG } else { 0 };
        self.push(&(flag | u32::from(id & 0x7f) << 24).to_be_bytes());
    }

    fn push_text(&mut self, text: &str) {
        if text.contains('\0') {
            self.fail(BlobError::Text);
        }
        self.push(text.as_bytes());
        self.push(&[0]);
    }

    fn pad(&mut self) {
        let missing = padded(self.bytes.len()) - self.bytes.len();
        self.push([0; 3].get(..missing).unwrap_or_default());
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.bytes.len().saturating_add(bytes.len()) > MAX_BYTES {
            self.fail(BlobError::Size);
        }
        if self.failed.is_none() {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// The first failure counts; what comes after it writes nothing.
    fn fail(&mut self, e: BlobError) {
        self.failed.get_or_insert(e);
    }
}
