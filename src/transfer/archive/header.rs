//! The 512 bytes before each entry of a tar archive, and the records of pax.

use super::ArchiveError;

/// tar archives are made of blocks of so many bytes.
pub(super) const BLOCK: usize = 512;

/// What a header says; nothing of it is checked yet but its checksum and its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub name: Vec<u8>,
    pub link: Vec<u8>,
    pub mode: u32,
    pub size: u64,
    /// `0` for a file, `5` for a folder, …
    pub kind: u8,
}

/// The fields of the format: where they begin and how long they are.
const NAME: (usize, usize) = (0, 100);
const MODE: (usize, usize) = (100, 8);
const UID: (usize, usize) = (108, 8);
const GID: (usize, usize) = (116, 8);
const SIZE: (usize, usize) = (124, 12);
const TIME: (usize, usize) = (136, 12);
const CHECKSUM: (usize, usize) = (148, 8);
const KIND: (usize, usize) = (156, 1);
const LINK: (usize, usize) = (157, 100);
const MAGIC: (usize, usize) = (257, 8);
const PREFIX: (usize, usize) = (345, 155);

fn field(block: &[u8; BLOCK], (at, length): (usize, usize)) -> &[u8] {
    block.get(at..at + length).unwrap_or_default()
}

/// Up to the first NUL.
fn text(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or_default()
}

fn damaged(what: &str) -> ArchiveError {
    ArchiveError::Damaged(what.to_owned())
}

/// A number: octal digits between spaces and NULs, or, as GNU writes large ones, binary
/// after a first bit.
fn number(bytes: &[u8]) -> Option<u64> {
    if let Some((first, rest)) = bytes.split_first()
        && first & 0x80 != 0
    {
        let mut n = u64::from(first & 0x7f);
        for byte in rest {
            n = n.checked_mul(256)? + u64::from(*byte);
        }
        return Some(n);
    }
    let digits = text(bytes).trim_ascii();
    let mut n: u64 = 0;
    for digit in digits {
        let value = digit.checked_sub(b'0').filter(|d| *d < 8)?;
        n = n.checked_mul(8)? + u64::from(value);
    }
    Some(n)
}

impl Header {
    /// Reads a block; `None` for one of zeros, which ends an archive.
    pub fn read(block: &[u8; BLOCK]) -> Result<Option<Header>, ArchiveError> {
        if block.iter().all(|b| *b == 0) {
            return Ok(None);
        }
        let sum = number(field(block, CHECKSUM));
        // Old programs took bytes for signed.
        if sum != Some(checksum(block)) && sum != signed_checksum(block) {
            return Err(damaged("it is no tar, or a header is corrupt"));
        }
        let mode = number(field(block, MODE)).ok_or_else(|| damaged("a mode is no number"))?;
        let size = number(field(block, SIZE)).ok_or_else(|| damaged("a size is no number"))?;
        let mut name = text(field(block, NAME)).to_vec();
        // GNU keeps other things where POSIX has the beginning of a long name.
        let prefix = text(field(block, PREFIX));
        if field(block, MAGIC).starts_with(b"ustar\0") && !prefix.is_empty() {
            let mut whole = prefix.to_vec();
            whole.push(b'/');
            whole.append(&mut name);
            name = whole;
        }
        Ok(Some(Header {
            name,
            link: text(field(block, LINK)).to_vec(),
            mode: u32::try_from(mode & 0o7777).unwrap_or(0),
            size,
            kind: field(block, KIND).first().copied().unwrap_or(0),
        }))
    }

    /// The block of a header. Name and link must fit; owner and time are 0.
    pub fn write(&self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let mut put = |(at, length): (usize, usize), bytes: &[u8]| {
            let room = block.get_mut(at..at + length).unwrap_or_default();
            for (to, from) in room.iter_mut().zip(bytes) {
                *to = *from;
            }
        };
        put(NAME, &self.name);
        put(MODE, format!("{:07o}", self.mode).as_bytes());
        put(UID, b"0000000");
        put(GID, b"0000000");
        put(SIZE, format!("{:011o}", self.size).as_bytes());
        put(TIME, b"00000000000");
        put(CHECKSUM, b"        ");
        put(KIND, &[self.kind]);
        put(LINK, &self.link);
        put(MAGIC, b"ustar\x0000");
        let sum = format!("{:06o}\0 ", checksum(&block));
        let room = block.get_mut(CHECKSUM.0..CHECKSUM.0 + CHECKSUM.1);
        for (to, from) in room.unwrap_or_default().iter_mut().zip(sum.as_bytes()) {
            *to = *from;
        }
        block
    }

    /// Whether name and link fit into a block.
    pub fn fits(&self) -> bool {
        self.name.len() <= NAME.1 && self.link.len() <= LINK.1
    }
}

/// The bytes as they are counted: those of the checksum as spaces.
fn counted(block: &[u8; BLOCK]) -> impl Iterator<Item = u8> + '_ {
    let (at, length) = CHECKSUM;
    let is_sum = move |i: usize| (at..at + length).contains(&i);
    let bytes = block.iter().enumerate();
    bytes.map(move |(i, b)| if is_sum(i) { b' ' } else { *b })
}

fn checksum(block: &[u8; BLOCK]) -> u64 {
    counted(block).map(u64::from).sum()
}

fn signed_checksum(block: &[u8; BLOCK]) -> Option<u64> {
    let sum: i64 = counted(block).map(|b| i64::from(b.cast_signed())).sum();
    u64::try_from(sum).ok()
}

/// What the pax records before an entry say of it.
#[derive(Debug, Default)]
pub(super) struct Pax {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
}

impl Pax {
    /// Takes records: `LENGTH KEY=VALUE\n`, one after another. What this program does not
    /// look at (times, owners, attributes) is passed over.
    pub fn take(&mut self, mut records: &[u8]) -> Result<(), ArchiveError> {
        let wrong = || damaged("a pax record is corrupt");
        while !records.is_empty() {
            let space = records.iter().take(12).position(|b| *b == b' ');
            let space = space.ok_or_else(wrong)?;
            let length = std::str::from_utf8(records.get(..space).unwrap_or_default());
            let length: usize = length.ok().and_then(|l| l.parse().ok()).ok_or_else(wrong)?;
            let (record, rest) = records.split_at_checked(length).ok_or_else(wrong)?;
            records = rest;
            let record = record.get(space + 1..).ok_or_else(wrong)?;
            let record = record.strip_suffix(b"\n").ok_or_else(wrong)?;
            let equals = record.iter().position(|b| *b == b'=').ok_or_else(wrong)?;
            let (key, value) = record.split_at(equals);
            let value = value.get(1..).unwrap_or_default();
            match key {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => {
                    let digits = std::str::from_utf8(value).ok();
                    let size = digits.and_then(|d| d.parse().ok()).ok_or_else(wrong)?;
                    self.size = Some(size);
                }
                _ if key.starts_with(b"GNU.sparse.") => {
                    return Err(damaged(
                        "a sparse file is not read; pack it without --sparse",
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// One record.
    pub fn record(key: &str, value: &[u8]) -> Vec<u8> {
        // The length counts its own digits.
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        let mut record = format!("{length} {key}=").into_bytes();
        record.extend_from_slice(value);
        record.push(b'\n');
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_binary_and_never_wrap() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b" 644 \0\0\0"), Some(0o644));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(number(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Some(2 << 32));
        // Negative, or past 64 bits.
        assert_eq!(number(&[0xff; 12]), None);
        assert_eq!(number(b"-1\0"), None);
        assert_eq!(number(b"648\0"), None);
    }

    #[test]
    fn a_header_reads_back_and_a_changed_bit_shows() {
        let header = Header {
            name: b"etc/config/network".to_vec(),
            link: Vec::new(),
            mode: 0o600,
            size: 1234,
            kind: b'0',
        };
        let mut block = header.write();
        assert_eq!(Header::read(&block).unwrap(), Some(header));
        block[3] ^= 1;
        assert!(Header::read(&block).is_err());
        assert_eq!(Header::read(&[0; BLOCK]).unwrap(), None);
    }

    #[test]
    fn pax_records_count_their_own_digits() {
        for length in [1, 4, 5, 88, 89, 90, 91, 92, 990, 991] {
            let value = vec![b'x'; length];
            let mut pax = Pax::default();
            pax.take(&Pax::record("path", &value)).unwrap();
            assert_eq!(pax.path, Some(value));
        }
        for bad in [
            &b"x"[..],
            b"5 a=b",
            b"99 path=x\n",
            b"0 path=x\n",
            b"18446744073709551616 a=b\n",
            b"9 size=-1\n",
            b"22 GNU.sparse.major=1\n",
        ] {
            assert!(Pax::default().take(bad).is_err(), "{}", bad.escape_ascii());
        }
    }
}
