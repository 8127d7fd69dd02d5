//! The addresses that the kernel has, asked of it with rtnetlink (RTM_GETADDR): how many
//! answers are taken and how long they are waited for is bounded, whatever the kernel, or
//! what emulates it, says.

use nix::errno::Errno;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, send, setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Bytes of one answer: the kernel makes none that is longer unless it is given more room.
const ANSWER: usize = 8 * 1024;
/// Answers of one dump at most.
const MAX_ANSWERS: usize = 256;
/// How long the end of a dump is waited for; the kernel makes it at once.
const PATIENCE: Duration = Duration::from_secs(1);

const REQUEST_AND_DUMP: u16 = 0x301;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
/// Of a message: length, type, flags, sequence, port.
const HEADER: usize = 16;
/// Of an address: family, length, flags, scope, number of the device.
const ADDRESS: usize = 8;
/// The address; on a point-to-point link that of the other end.
const IFA_ADDRESS: u16 = 1;
/// The own address.
const IFA_LOCAL: u16 = 2;
/// The device's name, or an alias of it.
const IFA_LABEL: u16 = 3;

/// An address of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The number of the device.
    pub index: u32,
    /// The device's name where the message tells it: of IPv4.
    pub device: String,
    pub ip: IpAddr,
    /// Of the network.
    pub length: u8,
}

/// What one answer was.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// More comes.
    More,
    Last,
}

/// All addresses of IPv4 or IPv6, in the kernel's order.
pub fn addresses(family: AddressFamily) -> Result<Vec<Address>, String> {
    ask(family).map_err(|e| format!("the kernel's addresses (rtnetlink): {e}"))
}

fn ask(family: AddressFamily) -> Result<Vec<Address>, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let kernel = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        flags,
        SockProtocol::NetlinkRoute,
    )?;
    setsockopt(&kernel, ReceiveTimeout, &TimeVal::seconds(1))?;
    let begin = Instant::now();
    send(kernel.as_raw_fd(), &request(family), MsgFlags::empty())?;
    let mut all = Vec::new();
    // Each reading is of one answer, into room that need not be cleared before.
    let mut answers = BufReader::with_capacity(ANSWER, File::from(kernel));
    for _ in 0..MAX_ANSWERS {
        let answer = match answers.fill_buf() {
            Ok(answer) => answer,
            Err(e) => return Err(e.raw_os_error().map_or(Errno::EIO, Errno::from_raw)),
        };
        let length = answer.len();
        if take(answer, &mut all)? == Part::Last {
            return Ok(all);
        }
        answers.consume(length);
        if begin.elapsed() > PATIENCE {
            return Err(Errno::ETIMEDOUT);
        }
    }
    Err(Errno::EMSGSIZE)
}

fn request(family: AddressFamily) -> [u8; HEADER + ADDRESS] {
    let mut request = [0; HEADER + ADDRESS];
    let [family, ..] = (family as i32 as u32).to_le_bytes();
    let parts = ((HEADER + ADDRESS) as u32)
        .to_ne_bytes()
        .into_iter()
        .chain(GET_ADDRESS.to_ne_bytes())
        .chain(REQUEST_AND_DUMP.to_ne_bytes())
        // Sequence and port are none's: there is one request on this socket.
        .chain([0; 8])
        .chain([family]);
    for (place, byte) in request.iter_mut().zip(parts) {
        *place = byte;
    }
    request
}

/// Takes the addresses of one answer, which holds several messages.
fn take(answer: &[u8], all: &mut Vec<Address>) -> Result<Part, Errno> {
    let mut rest = answer;
    while !rest.is_empty() {
        let length = number(rest, 0).ok_or(Errno::EBADMSG)?;
        let length = usize::try_from(length).map_err(|_| Errno::EBADMSG)?;
        let message = rest.get(..length).filter(|m| m.len() >= HEADER);
        let message = message.ok_or(Errno::EBADMSG)?;
        let body = message.get(HEADER..).unwrap_or_default();
        match short(message, 4) {
            Some(DONE) => return Ok(Part::Last),
            Some(ERROR) => {
                let error = number(body, 0).unwrap_or(0).cast_signed();
                return Err(Errno::from_raw(error.saturating_neg()));
            }
            Some(NEW_ADDRESS) => all.extend(address(body)),
            _ => {}
        }
        rest = rest.get(aligned(length)..).unwrap_or_default();
    }
    Ok(Part::More)
}

/// The address that a message tells; `None` where it is of another family or broken.
fn address(body: &[u8]) -> Option<Address> {
    let length = *body.get(1)?;
    let index = number(body, 4)?;
    let (mut any, mut own) = (None, None);
    let mut device = String::new();
    let mut rest = body.get(ADDRESS..)?;
    while let Some(length) = short(rest, 0) {
        let length = usize::from(length);
        let Some(value) = rest.get(4..length) else {
            break;
        };
        match short(rest, 2) {
            Some(IFA_ADDRESS) => any = ip(value),
            Some(IFA_LOCAL) => own = ip(value),
            Some(IFA_LABEL) => {
                let name = value.split(|b| *b == 0).next().unwrap_or_default();
                device = String::from_utf8_lossy(name).into_owned();
            }
            _ => {}
        }
        rest = rest.get(aligned(length)..).unwrap_or_default();
    }
    Some(Address {
        index,
        device,
        ip: own.or(any)?,
        length,
    })
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(value).map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
    let v6 = || <[u8; 16]>::try_from(value).map(|octets| IpAddr::V6(Ipv6Addr::from(octets)));
    v4.or_else(|_| v6()).ok()
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_ne_bytes(bytes))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_ne_bytes(bytes))
}

/// Messages and their parts begin at every fourth byte. Lengths come from slices that are
/// there, but for one that is not: then nothing is left.
fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut part = (value.len() as u16 + 4).to_ne_bytes().to_vec();
        part.extend(kind.to_ne_bytes());
        part.extend(value);
        part.resize(aligned(part.len()), 0);
        part
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut message = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend([0; 10]);
        message.extend(body);
        message.resize(aligned(message.len()), 0);
        message
    }

    fn of_device(length: u8, index: u32, parts: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![2, length, 0, 0];
        body.extend(index.to_ne_bytes());
        body.extend(parts.concat());
        message(NEW_ADDRESS, &body)
    }

    #[test]
    fn the_own_address_counts_where_the_other_ends_is_told_too() {
        let answer = [
            of_device(
                24,
                7,
                &[
                    part(IFA_ADDRESS, &[192, 0, 2, 1]),
                    part(IFA_LOCAL, &[192, 0, 2, 2]),
                    part(IFA_LABEL, b"ppp0\0"),
                    part(99, b"what"),
                ],
            ),
            of_device(64, 8, &[part(IFA_ADDRESS, &[0xfd; 16])]),
            of_device(24, 9, &[part(IFA_LABEL, b"lan\0")]),
            message(99, b"what else"),
        ];
        let mut all = Vec::new();
        assert_eq!(take(&answer.concat(), &mut all), Ok(Part::More));
        let shown: Vec<String> = all
            .iter()
            .map(|a| format!("{} {} {}/{}", a.index, a.device, a.ip, a.length))
            .collect();
        let v6 = "8  fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd/64";
        assert_eq!(shown, ["7 ppp0 192.0.2.2/24", v6]);
        assert_eq!(take(&message(DONE, &[0; 4]), &mut all), Ok(Part::Last));
        let refused = message(ERROR, &(-1i32).to_ne_bytes());
        assert_eq!(take(&refused, &mut all), Err(Errno::EPERM));
    }

    #[test]
    fn lengths_that_cannot_be_end_it() {
        let whole = of_device(24, 7, &[part(IFA_ADDRESS, &[192, 0, 2, 1])]);
        let mut all = Vec::new();
        for cut in 1..whole.len() {
            let cut = whole.get(..cut).expect("shorter");
            assert_eq!(take(cut, &mut all), Err(Errno::EBADMSG));
        }
        for length in [0, 1, 15, u32::MAX] {
            let mut wrong = whole.clone();
            wrong.splice(..4, length.to_ne_bytes());
            assert_eq!(take(&wrong, &mut all), Err(Errno::EBADMSG), "{length}");
        }
        assert_eq!(all, []);
        for length in [0u16, 1, 3, 200] {
            let mut wrong = whole.clone();
            wrong.splice(HEADER + ADDRESS..HEADER + ADDRESS + 2, length.to_ne_bytes());
            assert_eq!(take(&wrong, &mut all), Ok(Part::More), "{length}");
        }
        assert_eq!(all, []);
    }
}
