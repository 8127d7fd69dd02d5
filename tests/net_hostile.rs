//! Whatever a server or a stranger sends, the readers end, stay within bounds and do not
//! panic.

use std::time::Instant;

use cwmp_agent::net::auth::challenge;
use cwmp_agent::net::auth::server::{Credentials, Gate, Verdict};
use cwmp_agent::net::cookies::{Jar, MAX_COOKIES, MAX_TOTAL, Moment};
use cwmp_agent::net::url::Url;
use cwmp_agent::wake::http::head;
use proptest::prelude::*;

/// Text made of what the grammar cares about, and of anything else.
fn spiky() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("Digest ".to_owned()),
        Just("Basic realm=".to_owned()),
        Just("nonce=\"".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just(", ".to_owned()),
        Just("=".to_owned()),
        Just(";".to_owned()),
        Just("Path=/".to_owned()),
        Just("Expires=Thu, 01 Jan 1970 00:00:00".to_owned()),
        Just("Max-Age=99999999999999999999".to_owned()),
        Just("Domain=.".to_owned()),
        Just("../".to_owned()),
        Just("//".to_owned()),
        Just("[::1]:".to_owned()),
        "\\PC{0,8}",
        ".{0,4}",
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn challenges_of_any_text_are_read_without_panic(a in spiky(), b in spiky()) {
        let found = challenge::parse([a.as_str(), b.as_str()]);
        prop_assert!(found.len() <= 16);
        let _ = challenge::next_nonce(&a);
    }

    #[test]
    fn an_authorization_of_any_text_never_opens_the_gate(text in spiky()) {
        let now = Instant::now();
        let mut gate = Gate::new([1; 32], "r", now);
        let all = Credentials { username: "u".to_owned(), password: "p".to_owned() };
        for header in [text.clone(), format!("Digest username=\"u\", {text}")] {
            let verdict = gate.check(Some(&header), "GET", "/", &all, now);
            prop_assert!(matches!(verdict, Verdict::Missing | Verdict::Wrong));
        }
    }

    #[test]
    fn the_jar_stays_bounded_and_its_header_is_one_line(all in prop::collection::vec(spiky(), 0..24)) {
        let url = Url::parse("http://acs.example/a/b").expect("a URL");
        let at = Moment { wall: i64::MAX, now: 7 };
        let mut jar = Jar::new();
        for (i, text) in all.iter().enumerate() {
            jar.store(text, &url, at);
            jar.store(&format!("c{i}={text}"), &url, at);
        }
        prop_assert!(jar.len() <= MAX_COOKIES);
        if let Some(header) = jar.header(&url, at) {
            prop_assert!(header.len() <= MAX_TOTAL + 3 * MAX_COOKIES);
            prop_assert!(!header.contains(['\r', '\n', '\0']));
        }
    }

    #[test]
    fn a_location_of_any_text_gives_a_url_that_http_can_carry_or_an_error(text in spiky()) {
        let base = Url::parse("https://acs.example:7547/a/b?c").expect("a URL");
        for text in [text.clone(), format!("http://{text}"), format!("/{text}")] {
            if let Ok(url) = base.join(&text) {
                let written = url.to_string();
                let uri: ureq::http::Uri = written.parse().expect("a URI");
                let target = uri.path_and_query().expect("a target").as_str();
                prop_assert_eq!(target, url.target());
                if written.len() <= 2048 {
                    prop_assert_eq!(Url::parse(&written).expect("our own form"), url);
                }
            }
        }
    }

    #[test]
    fn a_request_head_of_any_bytes_is_read_without_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in spiky(),
    ) {
        let _ = head::parse(&bytes);
        let request = format!("GET /{text} HTTP/1.1\r\nAuthorization: {text}\r\nX: {text}\r\n\r\n");
        if let Ok(Some(head)) = head::parse(request.as_bytes()) {
            prop_assert!(head.length <= request.len());
        }
    }
}
