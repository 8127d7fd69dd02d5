//! Streams that are deflated: gzip (RFC 1952), zlib (RFC 1950) and bare (RFC 1951), both
//! ways. Only the stream within is the library's: its own readers and writers are made anew
//! for every kind of source, and its checksum has a table of 16 KiB.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::io::{self, BufRead, Read, Write};

/// What is around the deflated stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A header, a CRC-32 and the size, perhaps several times.
    Gzip,
    /// A header and an Adler-32.
    Zlib,
    /// Nothing.
    Bare,
}

/// Bytes of a gzip header at most: a file name, a comment.
const MAX_HEADER: u32 = 64 << 10;
/// Bytes that are written at a time.
const PIECE: usize = 4096;

/// Flags of a gzip header.
const HEADER_SUM: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// The remainders of CRC-32, byte by byte.
const REMAINDERS: [u32; 256] = {
    let mut all = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = byte;
        let mut bit = 0;
        while bit < 8 {
            rest = if rest & 1 == 1 {
                0xedb8_8320 ^ (rest >> 1)
            } else {
                rest >> 1
            };
            bit += 1;
        }
        #[expect(clippy::indexing_slicing, reason = "byte is less than 256")]
        {
            all[byte as usize] = rest;
        }
        byte += 1;
    }
    all
};

/// Checksum and size of what went through, as gzip has them at its end.
#[derive(Clone, Copy)]
struct Sum {
    rest: u32,
    size: u32,
}

impl Sum {
    const NONE: Sum = Sum { rest: !0, size: 0 };

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let [low, ..] = self.rest.to_le_bytes();
            #[expect(clippy::indexing_slicing, reason = "a byte is less than 256")]
            let remainder = REMAINDERS[usize::from(low ^ byte)];
            self.rest = remainder ^ (self.rest >> 8);
            self.size = self.size.wrapping_add(1);
        }
    }

    fn crc(&self) -> u32 {
        !self.rest
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Undoes it. Reading fails with `InvalidData` where the stream is damaged and with
/// `UnexpectedEof` where it is cut off; it ends after every checksum was found right.
pub struct Inflate<'a> {
    from: Box<dyn BufRead + 'a>,
    form: Form,
    at: At,
    raw: Decompress,
    sum: Sum,
    came_in: u64,
}

enum At {
    Header,
    Stream,
    Trailer,
    End,
}

impl<'a> Inflate<'a> {
    /// Of what comes from `from`.
    pub fn new(from: impl BufRead + 'a, form: Form) -> Inflate<'a> {
        Inflate {
            from: Box::new(from),
            form,
            at: match form {
                Form::Gzip => At::Header,
                Form::Zlib | Form::Bare => At::Stream,
            },
            raw: Decompress::new(form == Form::Zlib),
            sum: Sum::NONE,
            came_in: 0,
        }
    }

    /// Bytes of the deflated stream that were taken so far.
    pub fn came_in(&self) -> u64 {
        self.came_in
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.from.read_exact(&mut byte)?;
        self.came_in += 1;
        self.sum.add(&byte);
        let [byte] = byte;
        Ok(byte)
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.byte()?;
        }
        Ok(bytes)
    }

    fn header(&mut self) -> io::Result<()> {
        self.sum = Sum::NONE;
        let [0x1f, 0x8b, 8, flags, _, _, _, _, _, _] = self.bytes()? else {
            return Err(damaged("no gzip header"));
        };
        if flags & RESERVED != 0 {
            return Err(damaged("a gzip header of another kind"));
        }
        if flags & EXTRA != 0 {
            for _ in 0..u16::from_le_bytes(self.bytes()?) {
                self.byte()?;
            }
        }
        for text in [NAME, COMMENT] {
            while flags & text != 0 && self.byte()? != 0 {
                if self.sum.size > 2 * MAX_HEADER {
                    return Err(damaged("a gzip header that is too long"));
                }
            }
        }
        if flags & HEADER_SUM != 0 {
            let [first, second, ..] = self.sum.crc().to_le_bytes();
            if self.bytes()? != [first, second] {
                return Err(damaged("the checksum of the gzip header is another"));
            }
        }
        Ok(())
    }

    fn trailer(&mut self) -> io::Result<()> {
        let Sum { size, .. } = self.sum;
        let crc = self.sum.crc();
        if self.bytes()? != crc.to_le_bytes() {
            return Err(damaged("its checksum is another"));
        }
        if self.bytes()? != size.to_le_bytes() {
            return Err(damaged("its size is another"));
        }
        Ok(())
    }

    /// As much as there is room for; 0 at the end of the stream.
    fn stream(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.from.fill_buf()?;
            let is_end = input.is_empty();
            let before = (self.raw.total_in(), self.raw.total_out());
            let flush = match is_end {
                true => FlushDecompress::Finish,
                false => FlushDecompress::None,
            };
            let status = self.raw.decompress(input, into, flush);
            let taken = self.raw.total_in() - before.0;
            let made = self.raw.total_out() - before.1;
            // Neither is more than what was given, which is in memory.
            self.from.consume(taken as usize);
            self.came_in += taken;
            let made = into.get(..made as usize).unwrap_or_default();
            self.sum.add(made);
            match status {
                Err(_) => return Err(damaged("no deflated stream")),
                Ok(Status::StreamEnd) => {
                    self.at = match self.form {
                        Form::Gzip => At::Trailer,
                        Form::Zlib | Form::Bare => At::End,
                    };
                    return Ok(made.len());
                }
                Ok(_) if !made.is_empty() => return Ok(made.len()),
                Ok(_) if is_end => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) if taken == 0 => return Err(damaged("no deflated stream")),
                Ok(_) => {}
            }
        }
    }
}

impl Read for Inflate<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while !into.is_empty() {
            match self.at {
                At::Header => {
                    self.header()?;
                    self.raw.reset(false);
                    self.sum = Sum::NONE;
                    self.at = At::Stream;
                }
                At::Stream => match self.stream(into)? {
                    0 => {}
                    n => return Ok(n),
                },
                At::Trailer => {
                    self.trailer()?;
                    self.at = match self.from.fill_buf()? {
                        [] => At::End,
                        _ => At::Header,
                    };
                }
                At::End => break,
            }
        }
        Ok(0)
    }
}

/// Does it. What is not finished cannot be read again.
pub struct Deflate<'a> {
    to: Box<dyn Write + 'a>,
    form: Form,
    raw: Compress,
    sum: Sum,
    piece: Vec<u8>,
}

impl<'a> Deflate<'a> {
    /// Writes to `to`. The same bytes give the same stream: a gzip header says no time.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn new(to: impl Write + 'a, form: Form, level: Compression) -> io::Result<Deflate<'a>> {
        let mut to: Box<dyn Write + 'a> = Box::new(to);
        if form == Form::Gzip {
            to.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])?;
        }
        Ok(Deflate {
            to,
            form,
            raw: Compress::new(level, form == Form::Zlib),
            sum: Sum::NONE,
            piece: Vec::with_capacity(PIECE),
        })
    }

    /// Adds these bytes.
    ///
    /// # Errors
    /// Those of what it writes to.
    pub fn add(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.sum.add(bytes);
        while !bytes.is_empty() {
            let before = self.raw.total_in();
            self.put(bytes, FlushCompress::None)?;
            // Not more than what was given, which is in memory.
            let taken = (self.raw.total_in() - before) as usize;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Writes the end.
    ///
    /// # Errors
    /// Those of what it writes to.
    pub fn finish(mut self) -> io::Result<()> {
        while self.put(&[], FlushCompress::Finish)? != Status::StreamEnd {}
        if self.form == Form::Gzip {
            self.to.write_all(&self.sum.crc().to_le_bytes())?;
            self.to.write_all(&self.sum.size.to_le_bytes())?;
        }
        self.to.flush()
    }

    fn put(&mut self, bytes: &[u8], flush: FlushCompress) -> io::Result<Status> {
        self.piece.clear();
        let status = self.raw.compress_vec(bytes, &mut self.piece, flush);
        let status = status.map_err(|_| damaged("cannot be deflated"))?;
        self.to.write_all(&self.piece)?;
        Ok(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn deflated(bytes: &[u8], form: Form) -> Vec<u8> {
        let mut out = Vec::new();
        let mut deflate = Deflate::new(&mut out, form, Compression::fast()).unwrap();
        for part in bytes.chunks(100_000) {
            deflate.add(part).unwrap();
        }
        deflate.finish().unwrap();
        out
    }

    fn inflated(bytes: &[u8], form: Form) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        // Small pieces in, any out.
        let from = BufReader::with_capacity(7, bytes);
        Inflate::new(from, form).read_to_end(&mut out).map(|_| out)
    }

    /// What does not deflate well, `n` bytes of it.
    fn noise(n: usize) -> Vec<u8> {
        let mut x = 1_u32;
        let mut next = || {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            x.to_be_bytes()[0] & 0x3f
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn what_was_deflated_is_inflated_here_and_by_others() {
        for bytes in [vec![], b"a".to_vec(), vec![0; 1 << 20], noise(300_000)] {
            for form in [Form::Gzip, Form::Zlib, Form::Bare] {
                let ours = deflated(&bytes, form);
                assert_eq!(inflated(&ours, form).unwrap(), bytes);
                let mut theirs = Vec::new();
                match form {
                    Form::Gzip => flate2::read::GzDecoder::new(&*ours).read_to_end(&mut theirs),
                    Form::Zlib => flate2::read::ZlibDecoder::new(&*ours).read_to_end(&mut theirs),
                    Form::Bare => {
                        flate2::read::DeflateDecoder::new(&*ours).read_to_end(&mut theirs)
                    }
                }
                .unwrap();
                assert!(theirs == bytes, "{form:?}");
            }
        }
    }

    #[test]
    fn headers_of_others_and_several_members_are_read() {
        let bytes = noise(1000);
        let mut all = Vec::new();
        for n in 0..2 {
            let builder = flate2::GzBuilder::new()
                .filename("name")
                .comment("comment")
                .extra(vec![1, 2, 3])
                .mtime(n);
            let mut encoder = builder.write(Vec::new(), Compression::best());
            encoder.write_all(&bytes).unwrap();
            all.extend(encoder.finish().unwrap());
        }
        assert_eq!(inflated(&all, Form::Gzip).unwrap(), bytes.repeat(2));
        // The checksum of a header: its flag, and what it must be.
        let mut summed = deflated(b"x", Form::Gzip);
        summed[3] = HEADER_SUM;
        let mut sum = Sum::NONE;
        sum.add(&summed[..10]);
        let crc = sum.crc().to_le_bytes();
        summed.splice(10..10, [crc[0], crc[1]]);
        assert_eq!(inflated(&summed, Form::Gzip).unwrap(), b"x");
        summed[10] ^= 1;
        assert!(inflated(&summed, Form::Gzip).is_err());
    }

    #[test]
    fn what_is_cut_or_damaged_is_an_error() {
        let bytes = noise(2000);
        for form in [Form::Gzip, Form::Zlib, Form::Bare] {
            let good = deflated(&bytes, form);
            for end in 0..good.len() {
                let kind = inflated(&good[..end], form).unwrap_err().kind();
                assert_eq!(kind, io::ErrorKind::UnexpectedEof, "{form:?} {end}");
            }
        }
        let good = deflated(&bytes, Form::Gzip);
        for at in (0..4).chain(10..good.len()) {
            let mut bad = good.clone();
            bad[at] ^= 0x20;
            // A bit after the last one of the stream says nothing.
            let other = inflated(&bad, Form::Gzip).is_ok_and(|read| read != bytes);
            assert!(!other, "{at}");
        }
        let mut more = good.clone();
        more.push(0);
        assert!(inflated(&more, Form::Gzip).is_err());
        let mut long = vec![0x1f, 0x8b, 8, NAME, 0, 0, 0, 0, 0, 0];
        long.resize(1 << 20, b'x');
        let error = inflated(&long, Form::Gzip).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
    }
}
