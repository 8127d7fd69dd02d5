//! UUIDs of deployment units (TR-181 Annex C, TR-069 Annex H; RFC 4122 section 4.3).
//!
//! The namespace is that of domain names (RFC 4122 appendix C), the name is the unit's own
//! fully qualified one, `Name.Vendor.` with the dot at its end: whoever makes the UUID of a
//! unit, the ACS or the CPE, makes the same one. What is no letter, digit, `_` or `-` in Name
//! is percent-encoded in lower case, as the annex has it in its example (`sample%2e1`).

use sha1::{Digest, Sha1};

/// The namespace of domain names: 6ba7b810-9dad-11d1-80b4-00c04fd430c8.
const DNS: [u8; 16] = [
    0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8,
];

/// Where the four hyphens stand.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// Whether a text has the form of TR-181's UUID type: 8-4-4-4-12 hexadecimal digits.
pub fn is_valid(text: &str) -> bool {
    let digit = |(at, b): (usize, u8)| match HYPHENS.contains(&at) {
        true => b == b'-',
        false => b.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(digit)
}

/// Whether two UUIDs are the same: the case of a digit says nothing.
pub fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// The UUID of a deployment unit by its name and its vendor's domain name.
pub fn of_unit(name: &str, vendor: &str) -> String {
    let mut full = String::with_capacity(name.len() + vendor.len() + 2);
    for byte in name.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'-' => full.push(char::from(byte)),
            _ => full.push_str(&format!("%{byte:02x}")),
        }
    }
    for part in [vendor, ""] {
        // A vendor without a name adds no empty label.
        if !full.ends_with('.') {
            full.push('.');
        }
        full.push_str(part.trim_end_matches('.'));
    }
    let digest = Sha1::new_with_prefix(DNS).chain_update(full.as_bytes());
    let digest: [u8; 20] = digest.finalize().into();
    let mut out = String::with_capacity(36);
    for (at, byte) in digest.into_iter().take(16).enumerate() {
        let byte = match at {
            6 => byte & 0x0f | 0x50,
            8 => byte & 0x3f | 0x80,
            _ => byte,
        };
        if HYPHENS.contains(&out.len()) {
            out.push('-');
        }
        out.push_str(&format!("{byte:02x}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    // T-DUS-001: what others make of the same name (Python's uuid.uuid5).
    #[test]
    fn the_uuid_of_a_unit_is_that_of_its_domain_name() {
        let annex = of_unit("sample1", "broadband-forum.org");
        assert_eq!(annex, "fe2d23bd-dd02-51b8-af04-f5c18b2b0aa6");
        let dotted = of_unit("sample.1", "broadband-forum.org");
        assert_eq!(dotted, "0fbf4583-efd7-51b6-8483-7b347f4b521d");
        assert_eq!(of_unit("sample1", "broadband-forum.org."), annex);
        assert!(is_valid(&annex) && same(&annex, &annex.to_uppercase()));
        assert_ne!(of_unit("x", ""), of_unit("x", "org"));
    }

    // T-DUS-003
    #[test]
    fn what_is_no_uuid_is_known() {
        for bad in [
            "",
            "fe2d23bd-dd02-51b8-af04-f5c18b2b0aa",
            "fe2d23bd-dd02-51b8-af04-f5c18b2b0aa66",
            "fe2d23bd_dd02-51b8-af04-f5c18b2b0aa6",
            "ge2d23bd-dd02-51b8-af04-f5c18b2b0aa6",
            "{e2d23bd-dd02-51b8-af04-f5c18b2b0aa}",
            "fe2d23bddd0251b8af04f5c18b2b0aa6-----",
            "fe2d23bd-dd02-51b8-af04-f5c18b2b0aä",
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
        assert!(is_valid("FE2D23BD-dd02-51b8-af04-f5c18b2b0aa6"));
    }
}
