//! The ACS's authentication: it lets the right one in, and sees misuse.

use super::*;
use crate::acs::digest::{Proof, parameters};
use crate::cpe::Reply;

/// The Authorization line for a challenge.
fn authorize(reply: &Reply, cpe: &Cpe, body: &str, nc: &str, password: &str) -> String {
    let challenge = reply
        .header("WWW-Authenticate")
        .unwrap()
        .strip_prefix("Digest ")
        .unwrap();
    let fields = parameters(challenge).unwrap();
    let get = |n: &str| fields.iter().find(|(k, _)| k == n).map(|(_, v)| v.as_str());
    let algorithm = match get("algorithm") {
        Some("SHA-256") => Algorithm::Sha256,
        Some("MD5-sess") => Algorithm::Md5Sess,
        _ => Algorithm::Md5,
    };
    let qop = get("qop").map(|q| (q.rsplit(',').next().unwrap(), nc, "0c"));
    let proof = Proof {
        algorithm,
        username: "us\"er",
        realm: get("realm").unwrap(),
        password,
        method: "POST",
        uri: &cpe.target,
        nonce: get("nonce").unwrap(),
        qop,
        body: body.as_bytes(),
    };
    let mut line = format!(
        "Authorization: Digest username=\"us\\\"er\", realm=\"{}\", nonce=\"{}\", uri=\"{}\", response=\"{}\"",
        get("realm").unwrap().replace('"', "\\\""),
        proof.nonce,
        cpe.target,
        proof.response()
    );
    if let Some((qop, nc, cnonce)) = qop {
        line.push_str(&format!(", qop={qop}, nc={nc}, cnonce=\"{cnonce}\""));
    }
    if let Some(a) = get("algorithm") {
        line.push_str(&format!(", algorithm={a}"));
    }
    if let Some(o) = get("opaque") {
        line.push_str(&format!(", opaque=\"{o}\""));
    }
    line
}

fn account() -> DigestAuth {
    DigestAuth::for_account("us\"er", "secret")
}

fn digest(auth: DigestAuth) -> AcsConfig {
    AcsConfig::default().auth(Auth::Digest(auth))
}

#[test]
fn the_digest_hashes_are_those_of_the_rfcs() {
    // RFC 7616 section 3.9.1.
    let proof = |algorithm| Proof {
        algorithm,
        username: "Mufasa",
        realm: "http-auth@example.org",
        password: "Circle of Life",
        method: "GET",
        uri: "/dir/index.html",
        nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        qop: Some((
            "auth",
            "00000001",
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        )),
        body: b"",
    };
    assert_eq!(
        proof(Algorithm::Md5).response(),
        "8ca523f5e9506fed4657c9700eebdbec"
    );
    assert_eq!(
        proof(Algorithm::Sha256).response(),
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    );
}

#[test]
fn every_digest_variant_lets_the_right_one_in_and_no_other() {
    let variants = [
        account(),
        DigestAuth {
            algorithms: vec![None],
            qop: None,
            ..account()
        },
        DigestAuth {
            algorithms: vec![Some(Algorithm::Sha256)],
            opaque: Some("o 1".into()),
            ..account()
        },
        DigestAuth {
            qop: Some("auth,auth-int".into()),
            realm: "a \"b\"".into(),
            ..account()
        },
        DigestAuth {
            algorithms: vec![Some(Algorithm::Md5Sess)],
            ..account()
        },
    ];
    for auth in variants {
        let said = format!("{auth:?}");
        let (acs, mut cpe) = start(digest(auth));
        let refused = cpe.post(INFORM);
        assert_eq!(refused.status, 401, "{said}");
        cpe.extra = vec![authorize(&refused, &cpe, INFORM, "00000001", "wrong")];
        assert_eq!(cpe.post(INFORM).status, 401, "{said}");
        cpe.extra.clear();
        let refused = cpe.post(INFORM);
        cpe.extra = vec![authorize(&refused, &cpe, INFORM, "00000001", "secret")];
        assert_eq!(cpe.post(INFORM).status, 200, "{said}");
        cpe.extra = vec![authorize(&refused, &cpe, "", "00000002", "secret")];
        assert_eq!(cpe.post("").status, 204, "{said}");
        acs.finish().unwrap_or_else(|f| panic!("{said}: {f}"));
    }
}

#[test]
fn a_digest_misused_is_seen() {
    let (acs, mut cpe) = start(digest(account()));
    let refused = cpe.post(INFORM);
    let line = authorize(&refused, &cpe, INFORM, "00000001", "secret");
    cpe.extra = vec![line.clone()];
    cpe.post(INFORM);
    cpe.extra = vec![authorize(&refused, &cpe, "", "00000001", "secret")];
    assert_eq!(cpe.post("").status, 204);
    let said = acs.finish().err().unwrap().to_string();
    assert!(said.contains("nc=00000001 after nc=00000001"), "{said}");

    let auth = DigestAuth {
        opaque: Some("o".into()),
        ..account()
    };
    let (acs, mut cpe) = start(digest(auth));
    let refused = cpe.post(INFORM);
    let line =
        authorize(&refused, &cpe, INFORM, "00000001", "secret").replace(", opaque=\"o\"", "");
    cpe.extra = vec![line];
    cpe.reconnect();
    cpe.post(&INFORM.replace("S1", "S2"));
    let said = acs.finish().err().unwrap().to_string();
    assert!(said.contains("opaque"), "{said}");
    assert!(said.contains("on another connection"), "{said}");
    assert!(said.contains("after the 401 another message"), "{said}");
}

#[test]
fn a_nonce_can_go_stale_and_can_belong_to_its_connection() {
    let auth = DigestAuth {
        stale_at: vec![2],
        bound_to_connection: true,
        ..account()
    };
    let (acs, mut cpe) = start(digest(auth).session(Script::of([reboot("")])));
    let refused = cpe.post(INFORM);
    cpe.extra = vec![authorize(&refused, &cpe, INFORM, "00000001", "secret")];
    assert_eq!(cpe.post(INFORM).status, 200);
    cpe.extra = vec![authorize(&refused, &cpe, "", "00000002", "secret")];
    let stale = cpe.post("");
    assert!(
        stale
            .header("WWW-Authenticate")
            .unwrap()
            .contains("stale=true")
    );
    cpe.extra = vec![authorize(&stale, &cpe, "", "00000001", "secret")];
    let asked = cpe.post("");
    assert_eq!(asked.status, 200);
    cpe.reconnect();
    let body = envelope(&asked.element("ID").unwrap(), "<cwmp:RebootResponse/>");
    cpe.extra = vec![authorize(&stale, &cpe, &body, "00000002", "secret")];
    let elsewhere = cpe.post(&body);
    assert_eq!(elsewhere.status, 401);
    cpe.extra = vec![authorize(&elsewhere, &cpe, &body, "00000001", "secret")];
    assert_eq!(cpe.post(&body).status, 204);
    acs.finish().unwrap();
}

#[test]
fn several_challenges_and_a_refusal_and_basic() {
    let offers = vec![Some(Algorithm::Unknown), Some(Algorithm::Sha256), None];
    let auth = DigestAuth {
        algorithms: offers,
        basic_besides: true,
        ..account()
    };
    let (_acs, mut cpe) = start(digest(auth.clone()));
    let reply = cpe.post(INFORM);
    let count = reply
        .headers
        .iter()
        .filter(|(n, _)| n == "WWW-Authenticate")
        .count();
    assert_eq!(count, 4);
    let (_acs, mut cpe) = start(digest(DigestAuth {
        one_header: true,
        ..auth
    }));
    let reply = cpe.post(INFORM);
    assert_eq!(
        reply
            .headers
            .iter()
            .filter(|(n, _)| n == "WWW-Authenticate")
            .count(),
        1
    );

    let (_acs, mut cpe) = start(digest(DigestAuth {
        refuse: true,
        ..account()
    }));
    let refused = cpe.post(INFORM);
    cpe.extra = vec![authorize(&refused, &cpe, INFORM, "00000001", "secret")];
    assert_eq!(cpe.post(INFORM).status, 401);

    let auth = Auth::Basic {
        username: "Aladdin".into(),
        password: "open sesame".into(),
        realm: "r".into(),
    };
    let (acs, mut cpe) = start(AcsConfig::default().auth(auth));
    assert_eq!(
        cpe.post(INFORM).header("WWW-Authenticate"),
        Some("Basic realm=\"r\"")
    );
    // RFC 7617 section 2.
    cpe.extra = vec!["Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".into()];
    assert_eq!(cpe.post(INFORM).status, 200);
    assert_eq!(cpe.post("").status, 204);
    acs.finish().unwrap();
}
