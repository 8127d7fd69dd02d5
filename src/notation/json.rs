//! JSON into the program's own types: state files, the control socket, what the system says.
//!
//! It reads what `serde_json` writes, with one reader for all. Told apart from that crate's
//! own reader, a struct is an object and nothing else (never a list of its fields), and a
//! number is whole: no type of the program has any other.

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
    value::CowStrDeserializer,
};
use std::borrow::Cow;
use std::fmt;

/// Lists and objects within each other at most.
const DEPTH: usize = 128;

/// Why a text is not what was expected, and where.
#[derive(Debug)]
pub struct Error(Box<What>);

#[derive(Debug)]
struct What {
    text: String,
    /// Line and column, from 1; set once it is known.
    place: Option<(usize, usize)>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)?;
        match self.0.place {
            Some((line, column)) => write!(f, " at line {line} column {column}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(text: T) -> Error {
        failed(&text)
    }
}

#[cold]
#[inline(never)]
fn failed(text: &dyn fmt::Display) -> Error {
    Error(Box::new(What {
        text: text.to_string(),
        place: None,
    }))
}

/// Reads a text that is one JSON value.
///
/// # Errors
/// It is no JSON, or not of this type.
pub fn read<T: de::DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
        in_key: false,
    };
    let read = T::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    read.map_err(|e| reader.place(e))
}

struct Reader<'de> {
    text: &'de [u8],
    at: usize,
    depth: usize,
    /// A member's name is read: a number stands in quotes there.
    in_key: bool,
}

/// A whole number.
enum Number {
    Positive(u64),
    Negative(i64),
}

// None of these is inlined: every type that is read would have its copy.
impl<'de> Reader<'de> {
    #[cold]
    fn place(&self, mut error: Error) -> Error {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|b| **b != b'\n').count();
        error.0.place.get_or_insert((line, column));
        error
    }

    /// The next byte that is no white space.
    #[inline(never)]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Takes this byte if it comes next.
    #[inline(never)]
    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    #[inline(never)]
    fn require(&mut self, byte: u8) -> Result<(), Error> {
        match self.takes(byte) {
            true => Ok(()),
            false => Err(failed(&format_args!("expected `{}`", char::from(byte)))),
        }
    }

    #[inline(never)]
    fn end(&mut self) -> Result<(), Error> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(failed(&"trailing characters")),
        }
    }

    #[inline(never)]
    fn open(&mut self, byte: u8) -> Result<(), Error> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected(match byte {
                b'{' => "an object",
                _ => "a list",
            }));
        }
        self.at += 1;
        self.depth += 1;
        match self.depth {
            ..=DEPTH => Ok(()),
            _ => Err(failed(&"recursion limit exceeded")),
        }
    }

    #[inline(never)]
    fn close(&mut self, byte: u8) -> Result<(), Error> {
        self.depth -= 1;
        self.require(byte)
    }

    /// Whether another item follows, and its comma taken.
    #[inline(never)]
    fn more(&mut self, first: &mut bool, close: u8) -> Result<bool, Error> {
        if self.peek() == Some(close) {
            return Ok(false);
        }
        match std::mem::take(first) || self.takes(b',') {
            true => Ok(true),
            false => Err(failed(&format_args!(
                "expected `,` or `{}`",
                char::from(close)
            ))),
        }
    }

    #[cold]
    #[inline(never)]
    fn unexpected(&mut self, wanted: &str) -> Error {
        let found = match self.peek() {
            None => return failed(&"EOF while parsing a value"),
            Some(b'"') => "a string",
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            Some(b'-' | b'0'..=b'9') => "a number",
            Some(_) => return failed(&"expected value"),
        };
        failed(&format_args!("invalid type: {found}, expected {wanted}"))
    }

    #[inline(never)]
    fn word(&mut self, word: &str) -> bool {
        self.peek();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_next = rest.starts_with(word.as_bytes());
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    #[inline(never)]
    fn flag(&mut self) -> Result<bool, Error> {
        let yes = self.word("true");
        match yes || self.word("false") {
            true => Ok(yes),
            false => Err(self.unexpected("a boolean")),
        }
    }

    #[inline(never)]
    fn number(&mut self) -> Result<Number, Error> {
        let quoted = self.in_key && self.takes(b'"');
        if !quoted {
            self.peek();
        }
        let from = self.at;
        while let Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9') = self.text.get(self.at) {
            self.at += 1;
        }
        let digits = self.text.get(from..self.at).unwrap_or_default();
        let digits = std::str::from_utf8(digits).unwrap_or_default();
        if digits.is_empty() {
            return Err(self.unexpected("a number"));
        }
        let plain = digits.strip_prefix('-').unwrap_or(digits);
        let is_whole = plain.bytes().all(|b| b.is_ascii_digit());
        let is_short = digits == "0" || !plain.starts_with('0');
        let number = match digits.parse() {
            Ok(n) => Some(Number::Positive(n)),
            Err(_) => digits.parse().ok().map(Number::Negative),
        };
        let is_closed = !quoted || self.text.get(self.at) == Some(&b'"');
        self.at += usize::from(quoted && is_closed);
        match number {
            Some(number) if is_whole && is_short && is_closed => Ok(number),
            _ => Err(failed(&format_args!(
                "invalid value: {digits}, expected a whole number"
            ))),
        }
    }

    #[inline(never)]
    fn text(&mut self) -> Result<Cow<'de, str>, Error> {
        if !self.takes(b'"') {
            return Err(self.unexpected("a string"));
        }
        let mut before = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let plain = rest
                .iter()
                .position(|b| matches!(b, b'"' | b'\\' | ..=0x1f));
            let Some((piece, next)) = plain.and_then(|n| Some((rest.get(..n)?, rest.get(n)?)))
            else {
                self.at = self.text.len();
                return Err(failed(&"EOF while parsing a string"));
            };
            let Ok(piece) = std::str::from_utf8(piece) else {
                return Err(failed(&"invalid unicode code point"));
            };
            self.at += piece.len() + 1;
            match next {
                b'"' if before.is_empty() => return Ok(Cow::Borrowed(piece)),
                b'"' => return Ok(Cow::Owned(before + piece)),
                b'\\' => {
                    before.push_str(piece);
                    before.push(self.escape()?);
                }
                _ => {
                    return Err(failed(
                        &"control character (\\u0000-\\u001F) found while parsing a string",
                    ));
                }
            }
        }
    }

    #[inline(never)]
    fn escape(&mut self) -> Result<char, Error> {
        let kind = self.text.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        Ok(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.code_unit()?;
                let is_low = |unit: &u16| (0xdc00..0xe000).contains(unit);
                let mut units = vec![first];
                let rest = self.text.get(self.at..).unwrap_or_default();
                if (0xd800..0xdc00).contains(&first) && rest.starts_with(b"\\u") {
                    self.at += 2;
                    units.extend(Some(self.code_unit()?).filter(is_low));
                }
                match char::decode_utf16(units).next() {
                    Some(Ok(read)) => read,
                    _ => return Err(failed(&"lone surrogate in hex escape")),
                }
            }
            _ => return Err(failed(&"invalid escape")),
        })
    }

    fn code_unit(&mut self) -> Result<u16, Error> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or_default();
        let digits = std::str::from_utf8(digits).unwrap_or_default();
        self.at += digits.len();
        match digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            true => u16::from_str_radix(digits, 16).map_err(|_| failed(&"invalid escape")),
            false => Err(failed(&"invalid escape")),
        }
    }

    /// Skips a value, whatever it holds.
    #[inline(never)]
    fn skip(&mut self) -> Result<(), Error> {
        // What closes each list and object around.
        let mut around: Vec<u8> = Vec::new();
        loop {
            let mut first = false;
            match self.peek() {
                Some(b'"') => drop(self.text()?),
                Some(open @ (b'{' | b'[')) => {
                    if around.len() + self.depth >= DEPTH {
                        return Err(failed(&"recursion limit exceeded"));
                    }
                    self.at += 1;
                    around.push(open + 2);
                    first = true;
                }
                Some(b't' | b'f') => drop(self.flag()?),
                Some(b'n') if self.word("null") => {}
                Some(b'-' | b'0'..=b'9') => {
                    while let Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9') =
                        self.text.get(self.at)
                    {
                        self.at += 1;
                    }
                }
                _ => return Err(self.unexpected("a value")),
            }
            loop {
                let Some(close) = around.last().copied() else {
                    return Ok(());
                };
                if self.more(&mut first, close)? {
                    if close == b'}' {
                        self.text()?;
                        self.require(b':')?;
                    }
                    break;
                }
                self.at += 1;
                around.pop();
                first = false;
            }
        }
    }
}

/// All numbers are read alike.
macro_rules! numbers {
    ($($name:ident)*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.number()? {
                Number::Positive(n) => visitor.visit_u64(n),
                Number::Negative(n) => visitor.visit_i64(n),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            Some(b'"') => self.deserialize_str(visitor),
            Some(b'{') => self.deserialize_map(visitor),
            Some(b'[') => self.deserialize_seq(visitor),
            Some(b't' | b'f') => self.deserialize_bool(visitor),
            Some(b'n') => self.deserialize_option(visitor),
            _ => self.deserialize_u64(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.flag()?)
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(&self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.text()?.into_owned())
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.word("null") {
            true => visitor.visit_none(),
            false => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.open(b'[')?;
        let read = visitor.visit_seq(Items {
            reader: self,
            first: true,
        })?;
        self.close(b']')?;
        Ok(read)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.open(b'{')?;
        let read = visitor.visit_map(Items {
            reader: self,
            first: true,
        })?;
        self.close(b'}')?;
        Ok(read)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.peek() == Some(b'"') {
            let name = self.text()?;
            return visitor.visit_enum(CowStrDeserializer::new(name));
        }
        self.open(b'{')?;
        let read = visitor.visit_enum(Variant { reader: self })?;
        self.close(b'}')?;
        Ok(read)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.skip()?;
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple_struct
    }
}

/// The items of a list, the members of an object.
struct Items<'a, 'de> {
    reader: &'a mut Reader<'de>,
    first: bool,
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        match self.reader.more(&mut self.first, b']')? {
            true => seed.deserialize(&mut *self.reader).map(Some),
            false => Ok(None),
        }
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        if !self.reader.more(&mut self.first, b'}')? {
            return Ok(None);
        }
        if self.reader.peek() != Some(b'"') {
            return Err(failed(&"key must be a string"));
        }
        self.reader.in_key = true;
        let key = seed.deserialize(&mut *self.reader);
        self.reader.in_key = false;
        key.map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        self.reader.require(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

/// `{"name": value}`
struct Variant<'a, 'de> {
    reader: &'a mut Reader<'de>,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let name = seed.deserialize(&mut *self.reader)?;
        self.reader.require(b':')?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.reader.word("null") {
            true => Ok(()),
            false => Err(self.reader.unexpected("null")),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.reader)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        self.reader.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.reader.deserialize_map(visitor)
    }
}

#[cfg(test)]
mod tests;
