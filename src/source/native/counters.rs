//! Counters of network devices: `/proc/net/dev`, read once a request. What the kernel wrote
//! is handed on as it stands there.

use super::system::read_up_to;
use crate::store::Folders;
use std::ops::Range;

/// Bytes of the file at most.
const MAX_FILE: u64 = 1 << 20;
/// Devices at most.
const MAX_LINES: usize = 20_000;
/// Numbers of a line: eight received, eight sent.
const COLUMNS: usize = 16;

/// The counters of this request.
#[derive(Debug, Default)]
pub struct Counters {
    is_read: bool,
    text: String,
    /// Why the file, which is there, cannot be read.
    trouble: Option<String>,
    /// In order of the names.
    devices: Vec<Device>,
    /// The place in `devices` that was asked for last.
    last: Option<usize>,
    /// A number that the kernel would have written otherwise.
    rewritten: String,
}

/// Where a device's name is, and where its numbers are.
#[derive(Debug)]
struct Device {
    name: Range<usize>,
    numbers: Range<usize>,
    /// The same one by one, once one of them was asked for.
    columns: Option<Box<[Range<usize>; COLUMNS]>>,
}

impl Counters {
    /// A new request begins.
    pub fn begin(&mut self) {
        if self.is_read {
            *self = Counters::default();
        }
    }

    /// One counter of a device, in decimal digits; `None`: there is no such device, or the
    /// file cannot be read.
    pub fn digits(&mut self, root: &Folders, device: &str, column: u8) -> Option<&str> {
        self.refresh(root);
        let text = self.text.as_str();
        let bytes = text.as_bytes();
        let name = |at: usize| bytes.get(self.devices.get(at)?.name.clone());
        if self.last.and_then(name) != Some(device.as_bytes()) {
            let by_name = |d: &Device| bytes.get(d.name.clone()).cmp(&Some(device.as_bytes()));
            self.last = Some(self.devices.binary_search_by(by_name).ok()?);
        }
        let device = self.devices.get_mut(self.last?)?;
        let numbers = &device.numbers;
        let columns = device.columns.get_or_insert_with(|| columns(text, numbers));
        let digits = text.get(columns.get(usize::from(column))?.clone())?;
        match digits.as_bytes() {
            [] => None,
            [b'0'] => Some(digits),
            // All numbers of 19 digits fit.
            [b'1'..=b'9', rest @ ..] if rest.len() < 19 && rest.iter().all(u8::is_ascii_digit) => {
                Some(digits)
            }
            _ => {
                self.rewritten = digits.parse::<u64>().unwrap_or(0).to_string();
                Some(&self.rewritten)
            }
        }
    }

    /// One counter of a device, 0 where there is none; an error where the file cannot be read.
    pub fn number(&mut self, root: &Folders, device: &str, column: u8) -> Result<u64, String> {
        let digits = self.digits(root, device, column);
        let number = digits.and_then(|digits| digits.parse().ok());
        match &self.trouble {
            Some(trouble) => Err(trouble.clone()),
            None => Ok(number.unwrap_or(0)),
        }
    }

    /// Why the file, which is there, cannot be read.
    pub fn trouble(&mut self, root: &Folders) -> Option<&String> {
        self.refresh(root);
        self.trouble.as_ref()
    }

    fn refresh(&mut self, root: &Folders) {
        if self.is_read {
            return;
        }
        self.is_read = true;
        match read_up_to(root, "/proc/net/dev", MAX_FILE) {
            Ok(text) => self.text = text.unwrap_or_default(),
            Err(trouble) => self.trouble = Some(trouble),
        }
        let text = self.text.as_str();
        let mut start = 0;
        // Two lines of headings, the second with no colon.
        for line in text.split_inclusive('\n').take(MAX_LINES) {
            if let Some(colon) = line.bytes().position(|b| b == b':') {
                let name = line.get(..colon).unwrap_or_default();
                let begin = start + name.len() - name.trim_start().len();
                self.devices.push(Device {
                    name: begin..begin + name.trim().len(),
                    numbers: start + colon + 1..start + line.len(),
                    columns: None,
                });
            }
            start += line.len();
        }
        // Stable: of several lines of one name the last counts.
        self.devices.reverse();
        self.devices.sort_by_key(|d| text.get(d.name.clone()));
        self.devices.dedup_by_key(|d| text.get(d.name.clone()));
    }
}

/// Where the numbers of a line are; empty where it has fewer.
fn columns(text: &str, line: &Range<usize>) -> Box<[Range<usize>; COLUMNS]> {
    let mut columns = Box::new([const { 0..0 }; COLUMNS]);
    let mut at = line.start;
    let mut rest = text.as_bytes().get(line.clone()).unwrap_or_default();
    for column in columns.iter_mut() {
        // Control characters part the numbers as spaces do.
        let blank = rest.iter().position(|b| *b > b' ').unwrap_or(rest.len());
        rest = rest.split_at(blank).1;
        let number = rest.iter().position(|b| *b <= b' ');
        let number = number.unwrap_or(rest.len());
        rest = rest.split_at(number).1;
        *column = at + blank..at + blank + number;
        at += blank + number;
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Root;

    #[test]
    fn digits_are_the_kernels_and_what_is_no_number_counts_nothing() {
        let dir = std::env::temp_dir().join(format!("cwmp-counters-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("proc/net")).expect("a folder");
        let text = "Inter-|   Receive   |  Transmit\n face |bytes    packets\n\
                    \x20   lo: 18446744073709551615 2 x 99999999999999999999 007 6 7 8 9\n\
                    eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n  wan: 0\n";
        std::fs::write(dir.join("proc/net/dev"), text).expect("written");
        let root = Folders::new(Root::new(&dir).expect("a root"));
        let mut all = Counters::default();
        let mut shown =
            |device: &str, column: u8| all.digits(&root, device, column).map(str::to_owned);
        let some = |text: &str| Some(text.to_owned());
        for (column, digits) in ["18446744073709551615", "2", "0", "0", "7"]
            .iter()
            .enumerate()
        {
            assert_eq!(shown("lo", column as u8), some(digits), "{column}");
        }
        assert_eq!(shown("lo", 9), None);
        assert_eq!(shown("eth0", 15), some("16"));
        assert_eq!(shown("eth0", 16), None);
        assert_eq!(shown("wan", 0), some("0"));
        assert_eq!(shown("none", 0), None);
        assert_eq!(all.number(&root, "eth0", 3), Ok(4));
        assert_eq!(all.number(&root, "none", 3), Ok(0));
        all.begin();
        std::fs::remove_file(dir.join("proc/net/dev")).expect("gone");
        std::fs::create_dir(dir.join("proc/net/dev")).expect("made");
        assert_eq!(all.digits(&root, "eth0", 3), None);
        assert!(all.number(&root, "eth0", 3).is_err());
        std::fs::remove_dir_all(&dir).expect("gone");
    }
}
