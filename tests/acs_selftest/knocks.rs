//! The connection request client, against a listener written by hand.

use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

/// Answers `replies` requests, one after the other on as many connections as come, and
/// gives what it read.
fn listener(replies: Vec<&'static str>) -> (String, thread::JoinHandle<Vec<(usize, String)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/secret", listener.local_addr().unwrap());
    let thread = thread::spawn(move || {
        let mut replies = replies.into_iter().peekable();
        let mut seen = Vec::new();
        let mut connection = 0;
        while replies.peek().is_some() {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(SOON)).unwrap();
            connection += 1;
            let mut octets = Vec::new();
            let mut chunk = [0; 1024];
            while replies.peek().is_some() {
                match stream.read(&mut chunk) {
                    Ok(0) | Err(_) => break,
                    Ok(n) => octets.extend_from_slice(&chunk[..n]),
                }
                if octets.ends_with(b"\r\n\r\n") {
                    let request = String::from_utf8(std::mem::take(&mut octets)).unwrap();
                    seen.push((connection, request));
                    stream
                        .write_all(replies.next().unwrap().as_bytes())
                        .unwrap();
                }
            }
        }
        seen
    });
    (url, thread)
}

const CHALLENGE: &str = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=MD5\r\nContent-Length: 0\r\n\r\n";
const DONE: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[test]
fn a_knock_answers_the_challenge_on_either_connection() {
    for (second, connections) in [(Second::SameConnection, 1), (Second::NewConnection, 2)] {
        let (url, thread) = listener(vec![CHALLENGE, DONE]);
        let knock = knock_on(&url, "u", "p", second).unwrap();
        assert_eq!(knock.status(), 204);
        assert_eq!(knock.remarks, Vec::<String>::new());
        let seen = thread.join().unwrap();
        assert!(
            seen[0].1.starts_with("GET /secret HTTP/1.1\r\n"),
            "{}",
            seen[0].1
        );
        assert!(!seen[0].1.contains("Authorization"));
        assert_eq!(seen[1].0, connections);
        let line = seen[1]
            .1
            .lines()
            .find(|l| l.starts_with("Authorization: Digest "))
            .unwrap();
        let fields = acs::digest::parameters(&line["Authorization: Digest ".len()..]).unwrap();
        let get = |n: &str| {
            fields
                .iter()
                .find(|(k, _)| k == n)
                .map(|(_, v)| v.as_str())
                .unwrap()
        };
        assert_eq!(
            (get("uri"), get("qop"), get("nc")),
            ("/secret", "auth", "00000001")
        );
        let hash = |t: String| {
            use md5::Digest;
            md5::Md5::digest(t)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect::<String>()
        };
        let a1 = hash("u:r:p".into());
        let a2 = hash("GET:/secret".into());
        let want = hash(format!("{a1}:n:00000001:{}:auth:{a2}", get("cnonce")));
        assert_eq!(get("response"), want);
    }
}

#[test]
fn a_knock_remarks_on_what_a_picky_acs_dislikes() {
    let two = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n2\", algorithm=SHA-256\r\nContent-Length: 0\r\n\r\n";
    let (url, thread) = listener(vec![two, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"]);
    let knock = knock_on(&url, "u", "p", Second::SameConnection).unwrap();
    assert_eq!(knock.status(), 200);
    let said = knock.remarks.join("\n");
    assert!(
        said.contains("2 challenges") && said.contains("not MD5"),
        "{said}"
    );
    assert!(said.contains("has a body"), "{said}");
    assert!(thread.join().unwrap()[1].1.contains("nonce=\"n2\""));
}

#[test]
fn a_raw_request_gives_what_came_back() {
    let (url, thread) = listener(vec![DONE]);
    let address = url
        .strip_prefix("http://")
        .unwrap()
        .strip_suffix("/secret")
        .unwrap();
    let got = raw_request(address, b"X\r\n\r\n", SOON).unwrap();
    assert_eq!(got, DONE.as_bytes());
    thread.join().unwrap();
}
