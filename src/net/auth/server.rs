//! The side that asks: one digest challenge, and the check of the answer (TR-069 3.2.2).
//!
//! A nonce carries its own proof (a keyed hash over its number and time), so a flood of
//! strangers costs no memory and pushes out no nonce of the ACS. Only nonces that were
//! answered with the right password are remembered, to refuse replays; when that table is
//! full the oldest entry goes and every nonce as old as that one is refused from then on.
//! A nonce stays good on a new connection.

use std::fmt;
use std::time::{Duration, Instant};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::challenge::{Item, Qop, Scanner};
use super::digest::{self, Algorithm, Input, hex};

/// How long a nonce may be answered.
pub const NONCE_LIFE: Duration = Duration::from_secs(300);
/// Nonces remembered against replays.
const MAX_USED: usize = 64;
/// Number (16), seconds (8) and proof (32) in hex.
const NONCE_LEN: usize = 56;

/// What the ACS must know to knock (`ManagementServer.ConnectionRequestUsername` and
/// `…Password`). An empty username or password lets nobody in.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    /// `ConnectionRequestUsername`.
    pub username: String,
    /// `ConnectionRequestPassword`.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// What an `Authorization` header was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Right, and never seen before.
    Granted,
    /// No header, or none of the Digest scheme.
    Missing,
    /// Not a digest answer to our challenge, or made with another username or password.
    Wrong,
    /// Made with the right password for a nonce that is too old, unknown, or was counted
    /// this far already (a replay): a new challenge with `stale=true`.
    Stale,
}

#[derive(Clone, Copy)]
struct Used {
    number: u64,
    issued: u32,
    count: u32,
}

/// Issues challenges and checks answers.
pub struct Gate {
    key: [u8; 32],
    start: Instant,
    realm: String,
    next: u64,
    /// Nonces numbered below this are refused.
    oldest: u64,
    used: Vec<Used>,
}

impl Gate {
    /// `key` must be random; the nonces of another key are not known. A realm with a quote, a
    /// backslash or a control character would break the header: such characters are dropped.
    pub fn new(key: [u8; 32], realm: &str, start: Instant) -> Gate {
        Gate {
            key,
            start,
            realm: realm
                .chars()
                .filter(|c| !c.is_control() && !matches!(c, '"' | '\\'))
                .take(64)
                .collect(),
            next: 0,
            oldest: 0,
            used: Vec::with_capacity(MAX_USED),
        }
    }

    /// The value of `WWW-Authenticate`: exactly one challenge, MD5 with `qop="auth"`, since
    /// ACSs answer with MD5 whatever is offered.
    pub fn challenge(&mut self, stale: bool, now: Instant) -> String {
        let nonce = self.nonce(now);
        let stale = if stale { ", stale=true" } else { "" };
        format!(
            "Digest realm=\"{}\", qop=\"auth\", nonce=\"{nonce}\", algorithm=MD5{stale}",
            self.realm
        )
    }

    fn nonce(&mut self, now: Instant) -> String {
        let (number, issued) = (self.next, self.seconds(now));
        self.next = self.next.wrapping_add(1);
        format!("{number:016x}{issued:08x}{}", self.proof(number, issued))
    }

    fn proof(&self, number: u64, issued: u32) -> String {
        // HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            return String::new();
        };
        mac.update(&number.to_be_bytes());
        mac.update(&issued.to_be_bytes());
        let proof = mac.finalize().into_bytes();
        hex(proof.get(..16).unwrap_or_default())
    }

    fn seconds(&self, now: Instant) -> u32 {
        let secs = now.saturating_duration_since(self.start).as_secs();
        u32::try_from(secs).unwrap_or(u32::MAX)
    }

    /// Checks the `Authorization` header of a request for `target` (path and query as they
    /// stood in the request line).
    pub fn check(
        &mut self,
        authorization: Option<&str>,
        method: &str,
        target: &str,
        credentials: &Credentials,
        now: Instant,
    ) -> Verdict {
        let Some(answer) = authorization.and_then(Answer::read) else {
            return Verdict::Missing;
        };
        if credentials.username.is_empty() || credentials.password.is_empty() {
            return Verdict::Wrong;
        }
        let Some(qop) = answer.qop() else {
            return Verdict::Wrong;
        };
        let md5 = answer
            .algorithm
            .as_deref()
            .is_none_or(|a| a.eq_ignore_ascii_case("MD5"));
        if !md5 || path_of(&answer.uri) != path_of(target) {
            return Verdict::Wrong;
        }
        let expected = digest::response(&Input {
            algorithm: Algorithm::Md5,
            username: &credentials.username,
            realm: &self.realm,
            password: &credentials.password,
            nonce: &answer.nonce,
            cnonce: &answer.cnonce,
            nc: &answer.nc,
            qop,
            method,
            uri: &answer.uri,
            body: b"",
        });
        // The hash holds the username: what the header says of it is not asked, since some
        // clients leave a backslash in it as it is where others double it.
        let given = answer.response.to_ascii_lowercase();
        if !same(given.as_bytes(), expected.as_bytes()) {
            return Verdict::Wrong;
        }
        // The older form has no count: its nonce is good for one request.
        let count = match qop {
            Qop::None => u32::MAX,
            _ => match parse_hex(&answer.nc, 8).and_then(|n| u32::try_from(n).ok()) {
                Some(count) if count > 0 => count,
                _ => return Verdict::Wrong,
            },
        };
        if self.use_nonce(&answer.nonce, count, now) {
            Verdict::Granted
        } else {
            Verdict::Stale
        }
    }

    /// True when the nonce is ours, young enough, and this count is new.
    fn use_nonce(&mut self, nonce: &str, count: u32, now: Instant) -> bool {
        if nonce.len() != NONCE_LEN {
            return false;
        }
        let (Some(number), Some(issued), Some(proof)) = (
            nonce.get(..16).and_then(|n| parse_hex(n, 16)),
            nonce
                .get(16..24)
                .and_then(|n| parse_hex(n, 8))
                .and_then(|n| u32::try_from(n).ok()),
            nonce.get(24..),
        ) else {
            return false;
        };
        if !same(proof.as_bytes(), self.proof(number, issued).as_bytes()) {
            return false;
        }
        let now = self.seconds(now);
        let life = u32::try_from(NONCE_LIFE.as_secs()).unwrap_or(u32::MAX);
        let young = |issued: u32| now.saturating_sub(issued) <= life;
        if number < self.oldest || !young(issued) {
            return false;
        }
        if let Some(used) = self.used.iter_mut().find(|u| u.number == number) {
            let new = count > used.count;
            used.count = used.count.max(count);
            return new;
        }
        // Nonces past their life are refused above and need no memory.
        self.used.retain(|u| young(u.issued));
        if self.used.len() >= MAX_USED {
            let oldest = self.used.iter().enumerate().min_by_key(|(_, u)| u.number);
            if let Some((at, _)) = oldest {
                let gone = self.used.swap_remove(at);
                self.oldest = self.oldest.max(gone.number.saturating_add(1));
            }
            if number < self.oldest {
                return false;
            }
        }
        self.used.push(Used {
            number,
            issued,
            count,
        });
        true
    }
}

/// The parameters of a digest answer.
#[derive(Default)]
struct Answer {
    nonce: String,
    uri: String,
    response: String,
    algorithm: Option<String>,
    qop: Option<String>,
    nc: String,
    cnonce: String,
}

impl Answer {
    fn read(header: &str) -> Option<Answer> {
        let mut scanner = Scanner::new(header);
        match scanner.next_item() {
            Some(Item::Scheme(name)) if name.eq_ignore_ascii_case("digest") => {}
            _ => return None,
        }
        let mut answer = Answer::default();
        while let Some(item) = scanner.next_item() {
            let Item::Param(name, value) = item else {
                break;
            };
            let value = value.into_owned();
            match name.to_ascii_lowercase().as_str() {
                "nonce" => answer.nonce = value,
                "uri" => answer.uri = value,
                "response" => answer.response = value,
                "algorithm" => answer.algorithm = Some(value),
                "qop" => answer.qop = Some(value),
                "nc" => answer.nc = value,
                "cnonce" => answer.cnonce = value,
                _ => {}
            }
        }
        Some(answer)
    }

    fn qop(&self) -> Option<Qop> {
        match self.qop.as_deref() {
            None | Some("") => Some(Qop::None),
            Some(q) if q.eq_ignore_ascii_case("auth") => Some(Qop::Auth),
            Some(_) => None,
        }
    }
}

/// The path of a request target: without query, and without scheme and host where the whole
/// URL was written.
pub(crate) fn path_of(target: &str) -> &str {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    match path.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => path,
    }
}

fn parse_hex(text: &str, longest: usize) -> Option<u64> {
    if text.is_empty() || text.len() > longest || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(text, 16).ok()
}

/// Compares without telling by its duration where the difference is.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let differ = a.iter().zip(b).fold(0u8, |sum, (x, y)| sum | (x ^ y));
    std::hint::black_box(differ) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::auth::challenge::{Challenge, parse};
    use crate::net::auth::digest::Session;

    struct Acs(Session);

    impl Acs {
        fn asked(gate: &mut Gate, now: Instant) -> Acs {
            let header = gate.challenge(false, now);
            match parse([header.as_str()]).as_slice() {
                [Challenge::Digest(c)] => {
                    assert_eq!((c.algorithm, c.qop), (Algorithm::Md5, Qop::Auth));
                    Acs(Session::new(c.clone(), [7; 16]))
                }
                other => panic!("exactly one challenge: {other:?}"),
            }
        }

        fn answer(&mut self, password: &str) -> String {
            self.0.authorization("acs", password, "GET", "/secret", b"")
        }
    }

    fn credentials() -> Credentials {
        Credentials {
            username: "acs".to_owned(),
            password: "pass".to_owned(),
        }
    }

    fn gate() -> (Gate, Instant) {
        let start = Instant::now();
        (Gate::new([3; 32], "cwmp-agent", start), start)
    }

    fn check(gate: &mut Gate, header: &str, now: Instant) -> Verdict {
        gate.check(Some(header), "GET", "/secret", &credentials(), now)
    }

    // T-CRQ-001 T-CRQ-003 T-CRQ-004
    #[test]
    fn the_right_answer_is_good_once_and_a_higher_count_again() {
        let (mut gate, now) = gate();
        let mut acs = Acs::asked(&mut gate, now);
        let first = acs.answer("pass");
        assert_eq!(check(&mut gate, &first, now), Verdict::Granted);
        assert_eq!(check(&mut gate, &first, now), Verdict::Stale);
        let second = acs.answer("pass");
        assert_eq!(check(&mut gate, &second, now), Verdict::Granted);
        assert_eq!(check(&mut gate, &first, now), Verdict::Stale);
        let wrong = acs.answer("guess");
        assert_eq!(check(&mut gate, &wrong, now), Verdict::Wrong);
    }

    // T-CRQ-002
    #[test]
    fn without_credentials_on_either_side_nobody_comes_in() {
        let (mut gate, now) = gate();
        let all = credentials();
        assert_eq!(gate.check(None, "GET", "/", &all, now), Verdict::Missing);
        let basic = Some("Basic YTpi");
        assert_eq!(gate.check(basic, "GET", "/", &all, now), Verdict::Missing);
        let header = Acs::asked(&mut gate, now)
            .0
            .authorization("", "", "GET", "/secret", b"");
        let none = Credentials::default();
        let verdict = gate.check(Some(&header), "GET", "/secret", &none, now);
        assert_eq!(verdict, Verdict::Wrong);
    }

    #[test]
    fn a_nonce_dies_of_age_and_a_foreign_one_was_never_good() {
        let (mut gate, now) = gate();
        let mut acs = Acs::asked(&mut gate, now);
        let late = now + NONCE_LIFE + Duration::from_secs(1);
        let header = acs.answer("pass");
        assert_eq!(check(&mut gate, &header, late), Verdict::Stale);
        let mut other = Gate::new([4; 32], "cwmp-agent", now);
        let header = Acs::asked(&mut other, now).answer("pass");
        assert_eq!(check(&mut gate, &header, now), Verdict::Stale);
    }

    #[test]
    fn the_answer_belongs_to_its_path_method_and_count() {
        let (mut gate, now) = gate();
        let mut acs = Acs::asked(&mut gate, now);
        let all = credentials();
        let header = acs.answer("pass");
        let verdict = gate.check(Some(&header), "GET", "/other", &all, now);
        assert_eq!(verdict, Verdict::Wrong);
        let verdict = gate.check(Some(&header), "POST", "/secret", &all, now);
        assert_eq!(verdict, Verdict::Wrong);
        let changed = header.replace("nc=00000001", "nc=00000009");
        assert_eq!(check(&mut gate, &changed, now), Verdict::Wrong);
        let verdict = gate.check(Some(&header), "GET", "/secret?a=b", &all, now);
        assert_eq!(verdict, Verdict::Granted);
    }

    // T-CRQ-002
    #[test]
    fn a_username_is_proved_by_the_hash_however_the_header_spells_it() {
        let (mut gate, now) = gate();
        let all = Credentials {
            username: "isp\\acs".to_owned(),
            password: "pass".to_owned(),
        };
        let doubled = Acs::asked(&mut gate, now)
            .0
            .authorization("isp\\acs", "pass", "GET", "/secret", b"");
        assert!(doubled.contains(r#"username="isp\\acs""#), "{doubled}");
        let verdict = gate.check(Some(&doubled), "GET", "/secret", &all, now);
        assert_eq!(verdict, Verdict::Granted);
        let plain = Acs::asked(&mut gate, now)
            .0
            .authorization("isp\\acs", "pass", "GET", "/secret", b"")
            .replace("\\\\", "\\");
        let verdict = gate.check(Some(&plain), "GET", "/secret", &all, now);
        assert_eq!(verdict, Verdict::Granted);
        let other = Acs::asked(&mut gate, now)
            .0
            .authorization("acs", "pass", "GET", "/secret", b"");
        let verdict = gate.check(Some(&other), "GET", "/secret", &all, now);
        assert_eq!(verdict, Verdict::Wrong);
    }

    #[test]
    fn a_flood_of_challenges_does_not_cost_the_acs_its_nonce() {
        let (mut gate, now) = gate();
        let mut acs = Acs::asked(&mut gate, now);
        for _ in 0..10_000 {
            gate.challenge(false, now);
        }
        let header = acs.answer("pass");
        assert_eq!(check(&mut gate, &header, now), Verdict::Granted);
    }

    #[test]
    fn replays_stay_refused_when_the_table_overflows() {
        let (mut gate, now) = gate();
        let mut headers = Vec::new();
        for _ in 0..3 * MAX_USED {
            let header = Acs::asked(&mut gate, now).answer("pass");
            assert_eq!(check(&mut gate, &header, now), Verdict::Granted);
            headers.push(header);
        }
        assert!(gate.used.len() <= MAX_USED);
        for header in &headers {
            assert_eq!(check(&mut gate, header, now), Verdict::Stale);
        }
    }

    #[test]
    fn the_form_without_qop_is_good_once() {
        let (mut gate, now) = gate();
        let header = gate.challenge(false, now).replace("qop=\"auth\", ", "");
        let Some(Challenge::Digest(c)) = parse([header.as_str()]).pop() else {
            panic!("no challenge");
        };
        let header = Acs(Session::new(c, [7; 16])).answer("pass");
        assert_eq!(check(&mut gate, &header, now), Verdict::Granted);
        assert_eq!(check(&mut gate, &header, now), Verdict::Stale);
    }

    #[test]
    fn nonsense_is_wrong_or_missing_and_never_panics() {
        let (mut gate, now) = gate();
        for header in [
            "",
            "Digest",
            "Digest ,,,=",
            "Digest nonce=\u{e4}\u{e4}",
            "\"\\",
        ] {
            let verdict = check(&mut gate, header, now);
            assert!(
                matches!(verdict, Verdict::Missing | Verdict::Wrong),
                "{header}"
            );
        }
        assert!(!gate.use_nonce(&"\u{e4}".repeat(28), 1, now));
    }
}
