//! The one bounded buffer that envelopes are written into.
//!
//! Text is escaped, never wrapped in CDATA (some ACSs refuse it). Characters that XML
//! 1.0 forbids are replaced by U+FFFD, the character for what cannot be shown: leaving
//! them out would change a value's length unseen, refusing them would let one bad byte
//! of a Wi-Fi name block a whole-tree read.

use super::{ENCODING_NS, ENVELOPE_NS, Heading, XSD_NS, XSI_NS};
use crate::cwmp::version::CwmpVersion;
use std::fmt;

/// The message would be larger than the cap: answer 9004 instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge {
    /// The cap in bytes.
    pub cap: usize,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the message would be larger than {} bytes", self.cap)
    }
}

/// Digits kept free for the number of an array's items until it is known: those of a
/// whole tree. Where it has another number of digits, what follows it is moved.
const COUNT_DIGITS: usize = 4;

/// A SOAP array being written: where its number of items belongs.
#[derive(Debug)]
#[must_use]
pub(super) struct Array {
    name: &'static str,
    count_at: usize,
    items: u32,
}

/// Whether these eight bytes stand in XML as they are: ASCII from the space on, but for
/// `&`, `<` and `>`.
const fn is_plain_word(bytes: [u8; 8]) -> bool {
    /// The same byte eight times.
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    let word = u64::from_ne_bytes(bytes);
    // The lowest byte that is not plain leaves its highest bit set in one of these, and plain
    // ones leave none: nothing is borrowed from them.
    let control = word.wrapping_sub(each(b' '));
    let ampersand = (word ^ each(b'&')).wrapping_sub(each(1));
    // `<` and `>` differ in the bit 0x02 alone.
    let angle = ((word | each(0x02)) ^ each(b'>')).wrapping_sub(each(1));
    (word | control | ampersand | angle) & each(0x80) == 0
}

/// How many bytes at the beginning of a text are plain as [`is_plain_word`] says.
fn plain_bytes(text: &[u8]) -> usize {
    let (words, _) = text.as_chunks::<8>();
    let plain = 8 * words
        .iter()
        .take_while(|bytes| is_plain_word(**bytes))
        .count();
    let after = text.get(plain..).unwrap_or_default();
    let special = after.iter().position(|b| !is_plain_byte(*b));
    plain + special.unwrap_or(after.len())
}

const fn is_plain_byte(byte: u8) -> bool {
    matches!(byte, b' '..=0x7f) && !matches!(byte, b'&' | b'<' | b'>')
}

/// Whether a text surely stands in XML as it is.
fn is_plain(text: &[u8]) -> bool {
    match text.last_chunk::<8>() {
        // What the words leave over is in the last eight bytes.
        Some(last) => {
            let (words, _) = text.as_chunks::<8>();
            is_plain_word(*last) && words.iter().all(|bytes| is_plain_word(*bytes))
        }
        None => text.iter().all(|b| is_plain_byte(*b)),
    }
}

/// A text of less than eight bytes, blanks behind it, as most values are.
fn short(text: &[u8]) -> Option<[u8; 8]> {
    let four = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
    let blanks = u64::from_le_bytes([b' '; 8]);
    let word = match (text.first_chunk(), text.last_chunk()) {
        _ if text.len() >= 8 => return None,
        (Some(first), Some(last)) => {
            let before = 8 * (text.len() - 4);
            // Where the two overlap they say the same.
            four(first) | four(last) << before | blanks << before << 32
        }
        _ => {
            let bytes = text.iter().rev();
            bytes.fold(blanks, |word, byte| word << 8 | u64::from(*byte))
        }
    };
    Some(word.to_le_bytes())
}

/// Markup of one of several lengths, with blanks behind it: written in the same few moves
/// whichever it is, and the blanks taken back.
pub(super) struct Padded {
    bytes: [u8; Padded::LENGTH],
    length: usize,
}

impl Padded {
    const LENGTH: usize = 48;

    /// At most [`Padded::LENGTH`] bytes.
    pub(super) const fn new(markup: &str) -> Padded {
        let mut bytes = [b' '; Padded::LENGTH];
        let (there, _) = bytes.split_at_mut(markup.len());
        there.copy_from_slice(markup.as_bytes());
        Padded {
            bytes,
            length: markup.len(),
        }
    }
}

/// Room past the cap for markup that is written ahead and perhaps taken back.
const AHEAD: usize = 64;

/// One envelope being written. After the first piece that does not fit, nothing more is
/// written and [`finish`](Self::finish) says so: the buffer is never larger than that piece
/// makes it.
#[derive(Debug)]
pub(super) struct Envelope {
    out: Vec<u8>,
    cap: usize,
    /// Once there is more nothing is added.
    most: usize,
    pub(super) version: CwmpVersion,
}

impl Envelope {
    /// Writes everything up to the inside of Header: Envelope, namespaces, `ID`.
    pub(super) fn open(heading: &Heading) -> Envelope {
        Envelope::with_room(heading, 2048)
    }

    /// The same for a message that may become large: it is not moved while it grows, and
    /// what it does not fill costs address space only.
    pub(super) fn open_large(heading: &Heading) -> Envelope {
        Envelope::with_room(heading, 256 << 10)
    }

    fn with_room(heading: &Heading, room: usize) -> Envelope {
        let mut e = Envelope {
            out: Vec::with_capacity(heading.cap.saturating_add(AHEAD).min(room)),
            cap: heading.cap,
            most: heading.cap.saturating_add(AHEAD),
            version: heading.version,
        };
        e.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soapenv:Envelope");
        for (prefix, uri) in [
            ("soapenv", ENVELOPE_NS),
            ("soapenc", ENCODING_NS),
            ("xsd", XSD_NS),
            ("xsi", XSI_NS),
            ("cwmp", heading.version.namespace()),
        ] {
            e.raw(" xmlns:");
            e.raw(prefix);
            e.raw("=\"");
            e.raw(uri);
            e.raw("\"");
        }
        e.raw("><soapenv:Header>");
        if let Some(id) = &heading.id {
            e.raw("<cwmp:ID soapenv:mustUnderstand=\"1\">");
            e.text(id);
            e.raw("</cwmp:ID>");
        }
        e
    }

    /// A header that need not be understood.
    pub(super) fn optional_header(&mut self, name: &str, value: &str) {
        self.raw("<cwmp:");
        self.raw(name);
        self.raw(" soapenv:mustUnderstand=\"0\">");
        self.text(value);
        self.raw("</cwmp:");
        self.raw(name);
        self.raw(">");
    }

    /// Ends the Header and opens the Body.
    pub(super) fn body(&mut self) {
        self.raw("</soapenv:Header><soapenv:Body>");
    }

    /// Ends the envelope.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, TooLarge> {
        self.raw("</soapenv:Body></soapenv:Envelope>\n");
        if self.out.len() > self.cap {
            return Err(TooLarge { cap: self.cap });
        }
        Ok(self.out)
    }

    /// Whether something did not fit.
    pub(super) fn check(&self) -> Result<(), TooLarge> {
        match self.out.len() <= self.most {
            true => Ok(()),
            false => Err(TooLarge { cap: self.cap }),
        }
    }

    /// Markup, as it stands.
    pub(super) fn raw(&mut self, markup: &str) {
        if self.out.len() <= self.most {
            self.out.extend_from_slice(markup.as_bytes());
        }
    }

    /// Markup and texts of which nothing has to be escaped, whether or not they fit:
    /// [`check`](Self::check) follows. The data model's own names are such: it is refused
    /// where one is not, and instances add digits.
    #[inline(always)]
    pub(super) fn put<const N: usize>(&mut self, pieces: [&str; N]) {
        for piece in pieces {
            self.out.extend_from_slice(piece.as_bytes());
        }
    }

    /// The same with a text in it that may have to be escaped.
    #[inline(always)]
    pub(super) fn put_around(
        &mut self,
        before: [&str; 2],
        markup: &Padded,
        text: &str,
        after: &str,
    ) {
        self.put(before);
        let end = self.out.len() + markup.length;
        self.out.extend_from_slice(&markup.bytes);
        self.out.truncate(end);
        match short(text.as_bytes()) {
            Some(word) if is_plain_word(word) => {
                self.out.extend_from_slice(&word);
                self.out.truncate(end + text.len());
            }
            _ => self.text(text),
        }
        self.put([after]);
    }

    /// Takes back markup that was written ahead, which is the last there is.
    pub(super) fn take_back(&mut self, markup: &str) {
        if self.check().is_ok() {
            debug_assert!(self.out.ends_with(markup.as_bytes()));
            self.out.truncate(self.out.len() - markup.len());
        }
    }

    /// Character data, escaped. A carriage return is written as a reference, as XML
    /// readers turn a bare one into a newline.
    pub(super) fn text(&mut self, text: &str) {
        match is_plain(text.as_bytes()) {
            true => self.raw(text),
            false => self.escaped(text),
        }
    }

    #[inline(never)]
    fn escaped(&mut self, text: &str) {
        let mut rest = text;
        loop {
            // All of it is ASCII, so the cut is between characters.
            let (plain, from) = rest.split_at(plain_bytes(rest.as_bytes()));
            self.raw(plain);
            let mut chars = from.chars();
            let Some(c) = chars.next() else { return };
            rest = chars.as_str();
            match c {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '\r' => self.raw("&#13;"),
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' if !matches!(c, '\t' | '\n') => {
                    self.raw("\u{fffd}");
                }
                c => self.raw(c.encode_utf8(&mut [0; 4])),
            }
        }
    }

    /// `<name>`
    pub(super) fn start(&mut self, name: &str) {
        self.raw("<");
        self.raw(name);
        self.raw(">");
    }

    /// `</name>`
    pub(super) fn end(&mut self, name: &str) {
        self.raw("</");
        self.raw(name);
        self.raw(">");
    }

    /// `<name>text</name>`
    pub(super) fn element(&mut self, name: &str, text: &str) {
        self.start(name);
        self.text(text);
        self.end(name);
    }

    /// The same, cut to `max` characters, for texts that the schema bounds and that mean
    /// the same when cut.
    pub(super) fn clipped(&mut self, name: &str, text: &str, max: usize) {
        // It has no more characters than bytes.
        let long = text.len() > max;
        let cut = long.then(|| text.char_indices().nth(max)).flatten();
        let end = cut.map_or(text.len(), |(at, _)| at);
        self.element(name, text.get(..end).unwrap_or_default());
    }

    /// `<name>number</name>`
    pub(super) fn number(&mut self, name: &str, number: impl fmt::Display) {
        self.element(name, &number.to_string());
    }

    /// `<name>1</name>` or `0`: the form that every ACS reads.
    pub(super) fn boolean(&mut self, name: &str, value: bool) {
        self.element(name, if value { "1" } else { "0" });
    }

    /// Opens a SOAP array of `item` (a qualified name such as `cwmp:EventStruct`).
    pub(super) fn array(&mut self, name: &'static str, item: &str) -> Array {
        self.raw("<");
        self.raw(name);
        self.raw(" soapenc:arrayType=\"");
        self.raw(item);
        self.raw("[");
        let count_at = self.out.len();
        self.raw("0000");
        self.raw("]\">");
        Array {
            name,
            count_at,
            items: 0,
        }
    }

    /// Notes one item of an array.
    pub(super) fn count(&mut self, array: &mut Array) {
        array.items += 1;
    }

    /// Ends an array and writes the number of its items where it belongs.
    pub(super) fn end_array(&mut self, array: Array) {
        self.end(array.name);
        if self.check().is_err() {
            return;
        }
        let digits = array.items.to_string();
        let place = array.count_at..array.count_at + COUNT_DIGITS;
        match self.out.get_mut(place.clone()) {
            Some(kept) if kept.len() == digits.len() => kept.copy_from_slice(digits.as_bytes()),
            _ => {
                let _ = self.out.splice(place, digits.into_bytes());
            }
        }
    }
}

impl Array {
    /// How many items were noted.
    pub(super) fn items(&self) -> u32 {
        self.items
    }
}

#[cfg(test)]
mod tests {
    use super::{Envelope, Padded, TooLarge, is_plain, is_plain_word, plain_bytes, short};
    use crate::cwmp::message::XsdType;
    use crate::cwmp::soap::{Heading, NamesWriter, ValuesWriter};
    use crate::cwmp::version::CwmpVersion;

    fn list(items: u32, cap: usize) -> Option<String> {
        let heading = Heading {
            version: CwmpVersion::V1_0,
            id: None,
            cap,
        };
        let mut e = Envelope::open(&heading);
        e.body();
        let mut array = e.array("List", "xsd:string");
        for _ in 0..items {
            e.count(&mut array);
        }
        e.end_array(array);
        Some(String::from_utf8(e.finish().ok()?).expect("UTF-8"))
    }

    #[test]
    fn an_array_tells_how_many_items_it_has() {
        for items in [0, 7, 999, 1000, 9999, 10_000, 123_456] {
            let text = list(items, 4096).expect("it fits");
            assert!(text.contains(&format!("[{items}]\"></List>")), "{text}");
        }
        // Also where the number needs more room than was kept for it.
        let size = list(10_000, 4096).expect("it fits").len();
        assert!(list(10_000, size).is_some());
        assert!(list(10_000, size - 1).is_none());
    }

    #[test]
    fn what_needs_care_is_never_taken_for_plain() {
        for byte in 0..=255u8 {
            let plain = (0x20..0x80).contains(&byte) && !b"&<>".contains(&byte);
            for at in 0..20 {
                let mut text = [b'a'; 20];
                text[at] = byte;
                let found = plain_bytes(&text);
                for text in [&text[..], &text[at..], &text[..=at]] {
                    assert_eq!(is_plain(text), plain, "{byte:#x} at {at}");
                    let short = short(text).map(is_plain_word);
                    let expected = (text.len() < 8).then_some(plain);
                    assert_eq!(short, expected, "{byte:#x} at {at}");
                }
                if plain {
                    assert_eq!(found, 20, "{byte:#x} at {at}");
                } else {
                    assert!(found <= at, "{byte:#x} at {at}: {found}");
                }
            }
        }
    }

    #[test]
    fn a_short_text_has_blanks_behind_it() {
        for length in 0..=8 {
            let text = &b"abcdefgh"[..length];
            let mut expected = [b' '; 8];
            expected[..length].copy_from_slice(text);
            assert_eq!(short(text), (length < 8).then_some(expected));
        }
    }

    #[test]
    fn a_text_is_escaped_wherever_it_ends_and_whatever_stood_there() {
        let heading = Heading {
            version: CwmpVersion::V1_0,
            id: None,
            cap: 1 << 20,
        };
        for ahead in ["", "<<<<<<<<", "plain text"] {
            for length in 0..40 {
                for at in 0..=length {
                    let mut e = Envelope::open(&heading);
                    let start = e.out.len();
                    e.raw(ahead);
                    e.take_back(ahead);
                    let mut text = "a".repeat(length);
                    text.insert(at, '&');
                    e.text(&text);
                    e.text(&"b".repeat(length));
                    let expected = format!("{}{}", text.replace('&', "&amp;"), "b".repeat(length));
                    assert_eq!(&e.out[start..], expected.as_bytes());
                    let start = e.out.len();
                    e.put_around(["a.", "B"], &Padded::new("<"), &text, ">");
                    let expected = format!("a.B<{}>", text.replace('&', "&amp;"));
                    assert_eq!(&e.out[start..], expected.as_bytes());
                }
            }
        }
    }

    #[test]
    fn an_answer_fits_whose_last_byte_does_and_none_grows_past_the_cap() {
        let heading = |cap| Heading {
            version: CwmpVersion::V1_2,
            id: Some("1".into()),
            cap,
        };
        let values = |cap, count: u32| {
            let mut writer = ValuesWriter::new(&heading(cap));
            for _ in 0..count {
                writer.push_in("Device.A.", "B", XsdType::String, "a & b")?;
            }
            writer.finish()
        };
        let names = |cap, count: u32| {
            let mut writer = NamesWriter::new(&heading(cap));
            for _ in 0..count {
                writer.push("Device.A.", "B", true)?;
            }
            writer.finish()
        };
        for count in [0, 1, 12] {
            for answer in [&values as &dyn Fn(_, _) -> Result<Vec<u8>, _>, &names] {
                let size = answer(1 << 20, count).expect("it fits").len();
                assert_eq!(answer(size, count).map(|a| a.len()), Ok(size));
                for cap in 0..size {
                    assert_eq!(answer(cap, count), Err(TooLarge { cap }));
                }
            }
        }
        // The list that never ends is refused at once.
        assert!(values(2000, u32::MAX).is_err() && names(2000, u32::MAX).is_err());
        let mut e = Envelope::open(&heading(2000));
        for _ in 0..1000 {
            e.text(&"&".repeat(100));
        }
        assert!(e.out.len() < 2100 && e.finish().is_err());
    }
}
