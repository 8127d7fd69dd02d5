//! The two buffers of a connection. They grow with what passes through them: a session's
//! usual messages are short, and room for the largest would be cleared for nothing. On its
//! way out a head gets its names in capitals.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ureq::unversioned::transport::Buffers;

use super::connect::Watch;

/// Output is gathered up to this size before it goes out without waiting for the rest.
const GATHER: usize = 16 * 1024;
/// Room for the head of a request and a short body, which is all that most of them have.
pub(super) const PIECE: usize = 4000;
/// What the input begins with; most heads and most messages of an ACS fit.
const INPUT: usize = 2000;
/// Larger than [`super::MAX_HEAD`], so that a head too large is seen as such.
const MAX_INPUT: usize = super::MAX_HEAD + 8 * 1024;

/// See the module.
pub(super) struct Room {
    /// Head and body of a request until they go out, and behind them zeros.
    output: Vec<u8>,
    gathered: usize,
    /// What is written next is of a head.
    is_head: bool,
    /// What came, and behind it zeros.
    input: Vec<u8>,
    consumed: usize,
    filled: usize,
    /// The latest look at the input took some of it.
    progress: bool,
    watch: Arc<Watch>,
}

impl Room {
    pub(super) fn new(watch: Arc<Watch>) -> Room {
        Room {
            output: Vec::new(),
            gathered: 0,
            is_head: false,
            input: Vec::new(),
            consumed: 0,
            filled: 0,
            progress: false,
            watch,
        }
    }

    /// So much of the output is written and to be sent.
    pub(super) fn gather(&mut self, amount: usize) {
        let end = (self.gathered + amount).min(self.output.len());
        let new = self.output.get_mut(self.gathered..end);
        if let Some(head) = new.filter(|_| self.is_head) {
            head.split_mut(|b| *b == b'\n').for_each(capitalise);
        }
        self.gathered = end;
    }

    /// What is to be sent.
    pub(super) fn gathered(&self) -> &[u8] {
        self.output.get(..self.gathered).unwrap_or_default()
    }

    /// Whether it should go out before more is written.
    pub(super) fn is_full(&self) -> bool {
        self.gathered + PIECE > GATHER
    }

    /// It is sent.
    pub(super) fn sent(&mut self) {
        self.gathered = 0;
    }

    /// A head that is here as a whole can be used although the latest look took nothing of it.
    pub(super) fn look_again(&mut self) {
        self.progress = self.input().windows(4).any(|end| end == b"\r\n\r\n");
    }

    fn make_output(&mut self) {
        // The longest line of a head must fit as a whole.
        let line = self.watch.line.load(Ordering::Relaxed);
        let needed = self.gathered + PIECE.max(line);
        if self.output.len() < needed {
            let size = match self.gathered >= PIECE {
                // A large body: it passes in pieces of this size, and is not moved again.
                true => GATHER.max(needed),
                false => needed,
            };
            self.output.reserve_exact(size - self.output.len());
            self.output.resize(size, 0);
        }
    }

    /// Room for at least one byte, as long as the largest head is not reached. What was
    /// filled whole becomes larger: more is to come.
    fn make_input(&mut self) {
        let full = self.filled == self.input.len();
        if full && self.consumed > 0 {
            self.input.copy_within(self.consumed.., 0);
        }
        if full || self.consumed == self.filled {
            self.filled -= self.consumed;
            self.consumed = 0;
        }
        if full && self.input.len() < MAX_INPUT {
            let size = (self.input.len() * 2).clamp(INPUT, MAX_INPUT);
            self.input.resize(size, 0);
        }
    }

    fn free_input(&mut self) -> &mut [u8] {
        self.input.get_mut(self.filled..).unwrap_or_default()
    }
}

impl Buffers for Room {
    fn output(&mut self) -> &mut [u8] {
        self.is_head = true;
        self.make_output();
        self.output.get_mut(self.gathered..).unwrap_or_default()
    }

    fn input(&self) -> &[u8] {
        let unconsumed = self.input.get(self.consumed..self.filled);
        unconsumed.unwrap_or_default()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.make_input();
        self.free_input()
    }

    fn input_appended(&mut self, amount: usize) {
        self.filled = (self.filled + amount).min(self.input.len());
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.consumed = (self.consumed + amount).min(self.filled);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.is_head = false;
        self.make_output();
        self.make_input();
        let output = self.output.get_mut(self.gathered..).unwrap_or_default();
        let tmp = self.input.get_mut(self.filled..).unwrap_or_default();
        (tmp, output)
    }

    fn can_use_input(&self) -> bool {
        self.progress && self.consumed < self.filled
    }
}

/// Writes the name that begins a line of a head with capitals. It means the same in small
/// letters, in which ureq writes it, but not to every ACS.
fn capitalise(line: &mut [u8]) {
    let end = line.iter().position(|b| matches!(b, b':' | b' '));
    let Some((name, [b':', ..])) = end.and_then(|end| line.split_at_mut_checked(end)) else {
        return;
    };
    if name == b"soapaction" {
        name.copy_from_slice(b"SOAPAction");
    }
    for word in name.split_mut(|b| *b == b'-') {
        if let Some(first) = word.first_mut() {
            first.make_ascii_uppercase();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn come(room: &mut Room, bytes: &[u8]) -> usize {
        let free = room.input_append_buf();
        let n = free.len().min(bytes.len());
        free[..n].copy_from_slice(&bytes[..n]);
        room.input_appended(n);
        n
    }

    #[test]
    fn what_came_is_there_until_it_is_consumed() {
        let mut room = Room::new(Arc::default());
        assert!(!room.can_use_input());
        let text: Vec<u8> = (0..MAX_INPUT).map(|i| (i % 251) as u8).collect();
        let mut come_so_far = 0;
        while come_so_far < text.len() {
            let n = come(&mut room, &text[come_so_far..]);
            assert!(n > 0);
            come_so_far += n;
            assert_eq!(room.input(), &text[..come_so_far]);
        }
        // No more fits before some of it is consumed.
        assert!(room.input_append_buf().is_empty());
        assert!(!room.can_use_input(), "nobody has looked at it");
        room.input_consume(100);
        assert!(room.can_use_input());
        assert_eq!(room.input(), &text[100..]);
        assert_eq!(come(&mut room, b"end of it"), 9);
        assert!(room.input().ends_with(b"end of it"));
        assert_eq!(room.input().len(), MAX_INPUT - 100 + 9);
        room.input_consume(0);
        assert!(!room.can_use_input(), "nobody could use it");
        let rest = room.input().len();
        room.input_consume(rest);
        assert!(!room.can_use_input());
        assert!(!room.input_append_buf().is_empty());
    }

    #[test]
    fn a_whole_head_can_be_looked_at_again() {
        let mut room = Room::new(Arc::default());
        come(&mut room, b"HTTP/1.1 401 No\r\nA: b\r\n");
        room.look_again();
        assert!(!room.can_use_input(), "more is to come");
        come(&mut room, b"\r\n");
        room.look_again();
        assert!(room.can_use_input());
    }

    #[test]
    fn names_in_a_head_have_capitals_and_nothing_else_has() {
        let mut room = Room::new(Arc::default());
        let mut write = |head: bool, text: &[u8]| {
            let output = match head {
                true => room.output(),
                false => room.tmp_and_output().1,
            };
            output[..text.len()].copy_from_slice(text);
            room.gather(text.len());
        };
        write(true, b"POST /a:b HTTP/1.1\r\nsoapaction: a-b: c\r\n");
        write(true, b"content-type: x\r\ncookie: a-b\r\n\r\n");
        write(false, b"x-y: z\r\n");
        let expected = "POST /a:b HTTP/1.1\r\nSOAPAction: a-b: c\r\nContent-Type: x\r\n\
            Cookie: a-b\r\n\r\nx-y: z\r\n";
        assert_eq!(String::from_utf8_lossy(room.gathered()), expected);
    }

    #[test]
    fn output_is_gathered_and_a_long_line_fits() {
        let watch = Arc::new(Watch::default());
        let mut room = Room::new(watch.clone());
        room.output()[..4].copy_from_slice(b"head");
        room.gather(4);
        let (tmp, output) = room.tmp_and_output();
        assert!(!tmp.is_empty());
        assert!(output.len() >= PIECE);
        output[..4].copy_from_slice(b"body");
        room.gather(4);
        assert_eq!(room.gathered(), b"headbody");
        assert!(!room.is_full());
        watch.line.store(24 * 1024, Ordering::Relaxed);
        assert!(room.output().len() >= 24 * 1024);
        room.gather(24 * 1024);
        assert!(room.is_full());
        room.sent();
        assert!(room.gathered().is_empty());
    }
}
