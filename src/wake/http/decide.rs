//! Decides over a connection request: path, method, rate, digest. No socket here.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::head::Head;
use crate::net::auth::server::{Credentials, Gate, Verdict, path_of, same};

/// Addresses whose request rate is watched; the one seen least recently makes room.
const SOURCES: usize = 32;
/// Requests in a row from one address before its rate counts.
const SOURCE_BURST: u32 = 40;
/// One more request each …
const SOURCE_REFILL: Duration = Duration::from_millis(100);

/// A bucket of tokens: so many at once, then one each so often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    burst: u32,
    refill: Duration,
    tokens: u32,
    since: Instant,
}

impl Bucket {
    pub(super) fn new(burst: u32, refill: Duration, now: Instant) -> Bucket {
        Bucket {
            burst,
            refill: refill.max(Duration::from_millis(1)),
            tokens: burst,
            since: now,
        }
    }

    fn fill(&mut self, now: Instant) {
        if self.tokens >= self.burst {
            self.since = now;
            return;
        }
        let passed = now.saturating_duration_since(self.since);
        let gained = passed.as_millis() / self.refill.as_millis().max(1);
        let gained = u32::try_from(gained).unwrap_or(u32::MAX);
        if gained >= self.burst - self.tokens {
            self.tokens = self.burst;
            self.since = now;
        } else {
            self.tokens += gained;
            self.since += self.refill * gained;
        }
    }

    /// Takes a token if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let some = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        some
    }

    /// When there will be a token; none: there is one.
    pub(super) fn empty_until(&mut self, now: Instant) -> Option<Instant> {
        self.fill(now);
        (self.tokens == 0).then(|| self.since + self.refill)
    }
}

/// Why a request was answered as it was; each has its counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 200: a knock.
    Accepted,
    /// 401: no credentials yet, the usual first step.
    Challenged,
    /// 401: wrong credentials.
    WrongCredentials,
    /// 401: right credentials, replayed or old nonce.
    Stale,
    /// 404.
    WrongPath,
    /// 405.
    WrongMethod,
    /// 503.
    RateLimited,
    /// 400.
    Malformed,
    /// 431.
    TooLarge,
}

/// What decisions are made with.
pub(super) struct Judge {
    pub path: String,
    pub credentials: Credentials,
    gate: Gate,
    /// Valid requests.
    accepted: Bucket,
    sources: Vec<(IpAddr, Instant, Bucket)>,
}

impl Judge {
    pub(super) fn new(
        path: String,
        credentials: Credentials,
        gate: Gate,
        accepted: Bucket,
    ) -> Judge {
        Judge {
            path,
            credentials,
            gate,
            accepted,
            sources: Vec::with_capacity(SOURCES),
        }
    }

    pub(super) fn decide(&mut self, head: &Head<'_>, peer: IpAddr, now: Instant) -> Outcome {
        if !self.source(network(peer), now) {
            return Outcome::RateLimited;
        }
        if !same(path_of(head.target).as_bytes(), self.path.as_bytes()) {
            return Outcome::WrongPath;
        }
        if head.method != "GET" {
            return Outcome::WrongMethod;
        }
        let verdict = self.gate.check(
            head.authorization,
            head.method,
            head.target,
            &self.credentials,
            now,
        );
        match verdict {
            // The rate of valid requests counts only those, so that nobody without the
            // password can use it up.
            Verdict::Granted if self.accepted.take(now) => Outcome::Accepted,
            Verdict::Granted => Outcome::RateLimited,
            Verdict::Missing => Outcome::Challenged,
            Verdict::Wrong => Outcome::WrongCredentials,
            Verdict::Stale => Outcome::Stale,
        }
    }

    fn source(&mut self, address: IpAddr, now: Instant) -> bool {
        if let Some((_, seen, bucket)) = self.sources.iter_mut().find(|(a, ..)| *a == address) {
            *seen = now;
            return bucket.take(now);
        }
        if self.sources.len() >= SOURCES {
            let longest_ago = self.sources.iter().enumerate().min_by_key(|(_, s)| s.1);
            if let Some((at, _)) = longest_ago {
                self.sources.swap_remove(at);
            }
        }
        let mut bucket = Bucket::new(SOURCE_BURST, SOURCE_REFILL, now);
        bucket.take(now);
        self.sources.push((address, now, bucket));
        true
    }

    /// Writes the answer over what `out` held.
    pub(super) fn answer(
        &mut self,
        outcome: Outcome,
        close: bool,
        now: Instant,
        out: &mut Vec<u8>,
    ) {
        let (status, extra) = match outcome {
            Outcome::Accepted => ("200 OK", String::new()),
            Outcome::Challenged | Outcome::WrongCredentials | Outcome::Stale => {
                let challenge = self.gate.challenge(outcome == Outcome::Stale, now);
                (
                    "401 Unauthorized",
                    format!("WWW-Authenticate: {challenge}\r\n"),
                )
            }
            Outcome::WrongPath => ("404 Not Found", String::new()),
            Outcome::WrongMethod => ("405 Method Not Allowed", "Allow: GET\r\n".to_owned()),
            Outcome::RateLimited => ("503 Service Unavailable", String::new()),
            Outcome::Malformed => ("400 Bad Request", String::new()),
            Outcome::TooLarge => ("431 Request Header Fields Too Large", String::new()),
        };
        let connection = if close { "close" } else { "keep-alive" };
        out.clear();
        for part in [
            "HTTP/1.1 ",
            status,
            "\r\n",
            &extra,
            "Content-Length: 0\r\nConnection: ",
            connection,
            "\r\n\r\n",
        ] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

/// One customer's IPv6 network counts as one source.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_fills_again_but_never_over_its_brim() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2, Duration::from_secs(2), start);
        assert!(bucket.take(start) && bucket.take(start) && !bucket.take(start));
        assert_eq!(
            bucket.empty_until(start),
            Some(start + Duration::from_secs(2))
        );
        let later = start + Duration::from_secs(3);
        assert!(bucket.take(later) && !bucket.take(later));
        let next = start + Duration::from_secs(4);
        assert!(bucket.take(next), "the odd second was not lost");
        let much_later = start + Duration::from_secs(1000);
        assert!(bucket.take(much_later) && bucket.take(much_later) && !bucket.take(much_later));
    }

    #[test]
    fn an_ipv6_network_is_one_source() {
        let a: IpAddr = "2001:db8::1".parse().expect("an address");
        let b: IpAddr = "2001:db8::ffff:2".parse().expect("an address");
        let c: IpAddr = "2001:db8:0:1::1".parse().expect("an address");
        assert_eq!(network(a), network(b));
        assert_ne!(network(a), network(c));
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().expect("an address");
        assert_eq!(network(mapped).to_string(), "192.0.2.1");
    }

    #[test]
    fn sources_are_limited_one_by_one_in_a_table_of_fixed_size() {
        let now = Instant::now();
        let gate = Gate::new([1; 32], "x", now);
        let bucket = Bucket::new(10, Duration::from_secs(1), now);
        let mut judge = Judge::new("/p".to_owned(), Credentials::default(), gate, bucket);
        let address = |n: u32| IpAddr::V4(n.into());
        let allowed = (0..100).filter(|_| judge.source(address(1), now)).count();
        assert_eq!(allowed, 40);
        assert!(judge.source(address(2), now));
        for n in 0..10_000 {
            judge.source(address(n + 10), now + Duration::from_millis(1));
        }
        assert!(judge.sources.len() <= SOURCES);
    }
}
