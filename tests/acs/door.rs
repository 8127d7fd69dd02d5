//! The ACS's door: challenges the CPE and verifies what it answers.

use base64::Engine;

use super::digest::{Algorithm, Auth, DigestAuth, Proof, parameters, random_text};
use super::record::{HttpReply, HttpRequest};

struct Nonce {
    text: String,
    connection: u32,
    listener: usize,
    algorithm: Option<Algorithm>,
    last_nc: u32,
    stale: bool,
}

/// The ACS's door.
pub(super) struct Authenticator {
    auth: Auth,
    nonces: Vec<Nonce>,
    /// (session, message) whose nonce was declared stale already.
    staled: Vec<(u32, u32)>,
}

/// What became of a request at the door.
pub(super) enum Verdict {
    /// Come in; a header for the reply.
    Good(Option<(String, String)>),
    Refused(HttpReply),
}

impl Authenticator {
    pub(super) fn new(auth: Auth) -> Authenticator {
        Authenticator {
            auth,
            nonces: Vec::new(),
            staled: Vec::new(),
        }
    }

    /// All but the latest nonces are forgotten.
    pub(super) fn forget(&mut self) {
        let old = self.nonces.len().saturating_sub(16);
        self.nonces.drain(..old);
    }

    /// Lets a request in or challenges it. `at`: the session and message it would be.
    pub(super) fn check(
        &mut self,
        request: &HttpRequest,
        at: (u32, u32),
        wrong: &mut Vec<String>,
    ) -> Verdict {
        match self.auth.clone() {
            Auth::None => {
                if request.header("Authorization").is_some() {
                    wrong.push("credentials although nobody asked for any".into());
                }
                Verdict::Good(None)
            }
            Auth::Basic {
                username,
                password,
                realm,
            } => {
                let pair = format!("{username}:{password}");
                let good = base64::engine::general_purpose::STANDARD.encode(pair);
                match request
                    .header("Authorization")
                    .and_then(|v| v.split_once(' '))
                {
                    Some((scheme, text))
                        if scheme.eq_ignore_ascii_case("Basic") && text == good =>
                    {
                        Verdict::Good(None)
                    }
                    _ => Verdict::Refused(HttpReply::status(401).header(
                        "WWW-Authenticate",
                        &format!("Basic realm={}", quote(&realm)),
                    )),
                }
            }
            Auth::Digest(d) => self.check_digest(&d, request, at, wrong),
        }
    }

    fn check_digest(
        &mut self,
        d: &DigestAuth,
        request: &HttpRequest,
        at: (u32, u32),
        wrong: &mut Vec<String>,
    ) -> Verdict {
        if request.headers_named("Authorization").count() > 1 {
            wrong.push("more than one Authorization header".into());
        }
        let Some(header) = request.header("Authorization") else {
            return self.challenge(d, request, false);
        };
        let Some(("Digest", rest)) = header.split_once(' ') else {
            wrong.push(format!(
                "scheme `{}` although Digest was offered",
                header.split(' ').next().unwrap_or_default()
            ));
            return self.challenge(d, request, false);
        };
        let fields = match parameters(rest) {
            Ok(fields) => fields,
            Err(why) => {
                wrong.push(format!("Authorization header: {why}"));
                return self.challenge(d, request, false);
            }
        };
        if d.stale_at.contains(&at.1) && !self.staled.contains(&at) {
            self.staled.push(at);
            self.nonces.iter_mut().for_each(|n| n.stale = true);
        }
        let get = |name: &str| {
            fields
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.as_str())
        };
        let Some(nonce) = self
            .nonces
            .iter_mut()
            .find(|n| Some(n.text.as_str()) == get("nonce"))
        else {
            wrong.push("a nonce that this ACS never gave".into());
            return self.challenge(d, request, false);
        };
        let elsewhere = d.bound_to_connection && nonce.connection != request.connection;
        if nonce.stale || elsewhere {
            return self.challenge(d, request, true);
        }
        if nonce.listener != request.listener {
            wrong.push(
                "a nonce of another listener: credentials went to a realm that did not ask".into(),
            );
            return self.challenge(d, request, false);
        }
        let realm = realm_of(d, request.listener);
        let algorithm = nonce.algorithm.unwrap_or(Algorithm::Md5);
        let mut must = |what: &str, is: Option<&str>, want: Option<&str>| {
            if is != want {
                wrong.push(format!("Authorization {what}: {is:?}, must be {want:?}"));
            }
        };
        must("username", get("username"), Some(&d.username));
        must("realm", get("realm"), Some(&realm));
        must("uri", get("uri"), Some(&request.target));
        must("opaque", get("opaque"), d.opaque.as_deref());
        must(
            "algorithm",
            get("algorithm"),
            nonce.algorithm.map(Algorithm::token),
        );
        let (nc, cnonce) = (
            get("nc").unwrap_or_default(),
            get("cnonce").unwrap_or_default(),
        );
        let qop = match (&d.qop, get("qop")) {
            (None, None) => None,
            (Some(offered), Some(chosen)) if offered.split(',').any(|o| o.trim() == chosen) => {
                let count = u32::from_str_radix(nc, 16).unwrap_or(0);
                if nc.len() != 8 || count <= nonce.last_nc {
                    wrong.push(format!(
                        "nc={nc} after nc={:08x} with the same nonce",
                        nonce.last_nc
                    ));
                }
                nonce.last_nc = nonce.last_nc.max(count);
                if cnonce.is_empty() {
                    wrong.push("no cnonce although qop is used".into());
                }
                Some((chosen, nc, cnonce))
            }
            (offered, chosen) => {
                wrong.push(format!("qop {chosen:?} where {offered:?} was offered"));
                return self.challenge(d, request, false);
            }
        };
        let proof = Proof {
            algorithm,
            username: &d.username,
            realm: &realm,
            password: &d.password,
            method: &request.method,
            uri: &request.target,
            nonce: &nonce.text,
            qop,
            body: &request.body,
        };
        if d.refuse || get("response") != Some(proof.response().as_str()) {
            return self.challenge(d, request, false);
        }
        if !d.next_nonce {
            return Verdict::Good(None);
        }
        nonce.stale = true;
        let algorithm = nonce.algorithm;
        let next = self.nonce(request, algorithm);
        Verdict::Good(Some((
            "Authentication-Info".into(),
            format!("nextnonce=\"{next}\""),
        )))
    }

    fn challenge(&mut self, d: &DigestAuth, request: &HttpRequest, stale: bool) -> Verdict {
        let realm = quote(&realm_of(d, request.listener));
        let mut offers = Vec::new();
        if d.basic_besides {
            offers.push(format!("Basic realm={realm}"));
        }
        for algorithm in &d.algorithms {
            let nonce = self.nonce(request, *algorithm);
            let mut offer = format!("Digest realm={realm}, nonce=\"{nonce}\"");
            if let Some(a) = algorithm {
                offer.push_str(&format!(", algorithm={}", a.token()));
            }
            if let Some(qop) = &d.qop {
                offer.push_str(&format!(", qop=\"{qop}\""));
            }
            if let Some(opaque) = &d.opaque {
                offer.push_str(&format!(", opaque={}", quote(opaque)));
            }
            if stale {
                offer.push_str(", stale=true");
            }
            offers.push(offer);
        }
        if d.one_header {
            offers = vec![offers.join(", ")];
        }
        let reply = HttpReply::status(401);
        Verdict::Refused(
            offers
                .iter()
                .fold(reply, |r, o| r.header("WWW-Authenticate", o)),
        )
    }

    fn nonce(&mut self, request: &HttpRequest, algorithm: Option<Algorithm>) -> String {
        let text = random_text();
        self.nonces.push(Nonce {
            text: text.clone(),
            connection: request.connection,
            listener: request.listener,
            algorithm,
            last_nc: 0,
            stale: false,
        });
        text
    }
}

fn realm_of(d: &DigestAuth, listener: usize) -> String {
    if listener == 0 {
        d.realm.clone()
    } else {
        format!("{} {listener}", d.realm)
    }
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
