//! The system calls for capabilities, which no library of ours offers without `unsafe`: the
//! only such code of the program. What they are called for is `privileges`' matter.

#![expect(
    unsafe_code,
    reason = "prctl(PR_CAPBSET_…), capget and capset have no safe call in nix or std"
)]

use nix::errno::Errno;
use nix::libc;
use std::io;

/// The sets of the calling thread: a bit for each capability, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sets {
    pub effective: u64,
    pub permitted: u64,
    pub inheritable: u64,
}

/// `_LINUX_CAPABILITY_VERSION_3`: two words of 32 bits for each set.
const VERSION: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct` of the kernel.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct` of the kernel; the second of two has the higher bits.
#[repr(C)]
#[derive(Default)]
struct Word {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

fn header() -> Header {
    Header {
        version: VERSION,
        // The calling thread.
        pid: 0,
    }
}

/// Whether a capability is in the bounding set; `None`: the kernel does not know it.
pub fn is_in_bounding_set(capability: u8) -> Option<bool> {
    // SAFETY: PR_CAPBSET_READ takes a number and touches no memory.
    match unsafe { libc::prctl(libc::PR_CAPBSET_READ, libc::c_ulong::from(capability)) } {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// Takes a capability out of the bounding set of the calling thread.
///
/// # Errors
/// EPERM without CAP_SETPCAP, EINVAL for one that the kernel does not know.
pub fn leave_bounding_set(capability: u8) -> io::Result<()> {
    // SAFETY: PR_CAPBSET_DROP takes a number and touches no memory.
    let done = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability)) };
    Ok(Errno::result(done).map(drop)?)
}

/// The sets of the calling thread.
///
/// # Errors
/// What the system answers.
pub fn sets() -> io::Result<Sets> {
    let mut header = header();
    let mut words: [Word; 2] = Default::default();
    // SAFETY: both point to what the kernel expects for VERSION, a header and two words, and
    // outlive the call.
    let done = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, words.as_mut_ptr()) };
    Errno::result(done)?;
    let [low, high] = words;
    let set = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    Ok(Sets {
        effective: set(low.effective, high.effective),
        permitted: set(low.permitted, high.permitted),
        inheritable: set(low.inheritable, high.inheritable),
    })
}

/// Sets those of the calling thread, and of the threads that it starts.
///
/// # Errors
/// EPERM where something would be gained.
pub fn set(sets: &Sets) -> io::Result<()> {
    let mut header = header();
    let low = |set: u64| (set & u64::from(u32::MAX)) as u32;
    let high = |set: u64| (set >> 32) as u32;
    let words = [
        Word {
            effective: low(sets.effective),
            permitted: low(sets.permitted),
            inheritable: low(sets.inheritable),
        },
        Word {
            effective: high(sets.effective),
            permitted: high(sets.permitted),
            inheritable: high(sets.inheritable),
        },
    ];
    // SAFETY: both point to what the kernel expects for VERSION, a header and two words, and
    // outlive the call; the words are only read.
    let done = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, words.as_ptr()) };
    Ok(Errno::result(done).map(drop)?)
}
