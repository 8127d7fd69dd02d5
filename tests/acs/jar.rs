//! Which cookies the CPE must bring back, kept apart from any jar of the CPE (RFC 6265).

use super::record::HttpRequest;

struct Cookie {
    name: String,
    value: String,
    listener: usize,
    path: Option<String>,
    secure: bool,
    /// It has a lifetime, so it may outlive the session.
    lasting: bool,
}

/// The cookies of the running session, and those of the ones before.
#[derive(Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
    old: Vec<Cookie>,
}

impl Jar {
    /// A new session: cookies without a lifetime are not to come back.
    pub(super) fn begin_session(&mut self) {
        let (lasting, session) = self.cookies.drain(..).partition(|c: &Cookie| c.lasting);
        self.cookies = lasting;
        self.old.extend::<Vec<Cookie>>(session);
    }

    /// Cookies of sessions long ago are forgotten.
    pub(super) fn forget(&mut self) {
        self.old.clear();
    }

    /// Notes a Set-Cookie value sent to the CPE.
    pub(super) fn set(&mut self, listener: usize, header: &str) {
        let mut parts = header.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|p| p.split_once('=')) else {
            return;
        };
        let mut cookie = Cookie {
            name: name.into(),
            value: value.into(),
            listener,
            path: None,
            secure: false,
            lasting: false,
        };
        let mut gone = false;
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            match key.to_ascii_lowercase().as_str() {
                "path" if value.starts_with('/') => cookie.path = Some(value.into()),
                "secure" => cookie.secure = true,
                "max-age" => {
                    gone = value.parse::<i64>().is_ok_and(|s| s <= 0);
                    cookie.lasting = true;
                }
                // The only date a test sends is in 1970.
                "expires" => gone = value.contains("1970"),
                _ => {}
            }
        }
        self.cookies
            .retain(|c| c.name != cookie.name || c.listener != listener);
        if gone {
            self.old.push(cookie);
        } else {
            self.cookies.push(cookie);
        }
    }

    /// Holds a request's cookies against what was set; whether one is missing.
    pub(super) fn check(&self, r: &HttpRequest, tls: bool, wrong: &mut Vec<String>) -> bool {
        let header = r.header("Cookie").unwrap_or_default();
        let pairs = header.split(';').filter_map(|p| p.trim().split_once('='));
        let sent: Vec<(&str, &str)> = pairs.filter(|(n, _)| !n.starts_with('$')).collect();
        let mut missing = false;
        let applies = |c: &&Cookie| c.listener == r.listener && due(c, &r.target, tls);
        for c in self.cookies.iter().filter(applies) {
            match sent.iter().find(|(n, _)| *n == c.name) {
                Some((_, v)) if same(v, &c.value) => {}
                Some((_, v)) => {
                    wrong.push(format!("cookie {}={v}, the ACS set {}", c.name, c.value))
                }
                None => {
                    missing = true;
                    wrong.push(format!("cookie {} did not come back", c.name));
                }
            }
        }
        for (name, value) in sent {
            if self
                .cookies
                .iter()
                .any(|c| c.name == name && same(value, &c.value))
            {
                let here = self
                    .cookies
                    .iter()
                    .filter(|c| c.name == name && c.listener == r.listener);
                if here.into_iter().any(|c| !due(c, &r.target, tls)) {
                    wrong.push(format!(
                        "cookie {name} came where its Path or Secure forbids it"
                    ));
                }
            } else if self
                .old
                .iter()
                .any(|c| c.name == name && same(value, &c.value))
            {
                wrong.push(format!("cookie {name} came back after it had gone"));
            }
        }
        missing
    }
}

fn due(c: &Cookie, target: &str, tls: bool) -> bool {
    let target = target.split('?').next().unwrap_or_default();
    let path = c.path.as_deref().unwrap_or("/");
    let below = target == path
        || target
            .strip_prefix(path)
            .is_some_and(|r| path.ends_with('/') || r.starts_with('/'));
    below && (tls || !c.secure)
}

/// RFC 6265 returns quotes as they came, RFC 2965 may drop them.
fn same(a: &str, b: &str) -> bool {
    a.trim_matches('"') == b.trim_matches('"')
}
