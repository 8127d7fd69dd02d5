//! A CPE written by hand on a raw socket: right by default, wrong where a test wants it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

pub const INFORM: &str = r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:e="http://schemas.xmlsoap.org/soap/encoding/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:cwmp="urn:dslforum-org:cwmp-1-0"><s:Header><cwmp:ID s:mustUnderstand="1">c1</cwmp:ID></s:Header><s:Body><cwmp:Inform><DeviceId><Manufacturer>Maker</Manufacturer><OUI>0A1B2C</OUI><ProductClass>Box</ProductClass><SerialNumber>S1</SerialNumber></DeviceId><Event e:arrayType="cwmp:EventStruct[1]"><EventStruct><EventCode>1 BOOT</EventCode><CommandKey></CommandKey></EventStruct></Event><MaxEnvelopes>1</MaxEnvelopes><CurrentTime>2026-11-22T10:00:00Z</CurrentTime><RetryCount>0</RetryCount><ParameterList e:arrayType="cwmp:ParameterValueStruct[1]"><ParameterValueStruct><Name>Device.DeviceInfo.SoftwareVersion</Name><Value xsi:type="xsd:string">1.0</Value></ParameterValueStruct></ParameterList></cwmp:Inform></s:Body></s:Envelope>"#;

/// An envelope with this ID and body, in cwmp-1-0.
pub fn envelope(id: &str, body: &str) -> String {
    let start = INFORM.find("<s:Header>").unwrap();
    format!(
        "{}<s:Header><cwmp:ID s:mustUnderstand=\"1\">{id}</cwmp:ID></s:Header><s:Body>{body}</s:Body></s:Envelope>",
        &INFORM[..start]
    )
}

#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self
            .headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name));
        all.next().map(|(_, v)| v.as_str())
    }

    /// The text of the first element of this local name.
    pub fn element(&self, name: &str) -> Option<String> {
        let doc = roxmltree::Document::parse(self.body.trim_start_matches('\u{feff}')).ok()?;
        let node = doc.descendants().find(|n| n.tag_name().name() == name)?;
        Some(
            node.children()
                .filter_map(|c| c.text().filter(|_| c.is_text()))
                .collect(),
        )
    }
}

pub struct Cpe {
    stream: TcpStream,
    pub host: String,
    pub target: String,
    pub cookies: Vec<String>,
    /// Header lines added to every request.
    pub extra: Vec<String>,
    /// Requests sent, interim 100 replies seen.
    pub interim: u32,
}

impl Cpe {
    pub fn new(url: &str) -> Cpe {
        let (host, target) = url
            .strip_prefix("http://")
            .unwrap()
            .split_once('/')
            .unwrap();
        Cpe {
            stream: connect(host),
            host: host.into(),
            target: format!("/{target}"),
            cookies: Vec::new(),
            extra: Vec::new(),
            interim: 0,
        }
    }

    pub fn reconnect(&mut self) {
        self.stream = connect(&self.host);
    }

    /// Goes to another URL, as after a redirect.
    pub fn go_to(&mut self, url: &str) {
        let (host, target) = url
            .strip_prefix("http://")
            .unwrap()
            .split_once('/')
            .unwrap();
        self.host = host.into();
        self.target = format!("/{target}");
        self.reconnect();
    }

    pub fn write(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).unwrap();
    }

    /// The request's octets, right in every way.
    pub fn request(&self, body: &str) -> Vec<u8> {
        let mut r = format!("POST {} HTTP/1.1\r\nHost: {}\r\n", self.target, self.host);
        if !body.is_empty() {
            r.push_str("Content-Type: text/xml; charset=\"utf-8\"\r\nSOAPAction:\r\n");
        }
        if !self.cookies.is_empty() {
            r.push_str(&format!("Cookie: {}\r\n", self.cookies.join("; ")));
        }
        for line in &self.extra {
            r.push_str(&format!("{line}\r\n"));
        }
        r.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        r.into_bytes()
    }

    /// Posts and reads the reply; cookies are kept.
    pub fn post(&mut self, body: &str) -> Reply {
        let octets = self.request(body);
        self.write(&octets);
        self.reply().expect("a whole reply")
    }

    /// Answers the ACS's request with a response or fault of this body, ID echoed.
    pub fn answer(&mut self, request: &Reply, body: &str) -> Reply {
        let id = request.element("ID").unwrap_or_default();
        let id = id
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        self.post(&envelope(&id, body))
    }

    /// Reads one reply; `None` where the connection ends first.
    pub fn reply(&mut self) -> Option<Reply> {
        let mut octets = Vec::new();
        loop {
            let head = loop {
                if let Some(at) = octets.windows(4).position(|w| w == b"\r\n\r\n") {
                    break at + 4;
                }
                self.more(&mut octets)?;
            };
            let mut rest = octets.split_off(head);
            let text = String::from_utf8(octets).unwrap();
            let mut lines = text.trim_end().split("\r\n");
            let status: u16 = lines
                .next()
                .unwrap()
                .split(' ')
                .nth(1)
                .unwrap()
                .parse()
                .unwrap();
            if status == 100 {
                self.interim += 1;
                octets = rest;
                continue;
            }
            let headers: Vec<(String, String)> = lines
                .map(|l| l.split_once(':').unwrap())
                .map(|(n, v)| (n.to_string(), v.trim().to_string()))
                .collect();
            let mut reply = Reply {
                status,
                headers,
                body: String::new(),
            };
            let body = if status == 204 {
                Vec::new()
            } else if let Some(length) = reply.header("Content-Length") {
                let length: usize = length.parse().unwrap();
                while rest.len() < length {
                    self.more(&mut rest)?;
                }
                rest
            } else if reply.header("Transfer-Encoding").is_some() {
                self.chunks(rest)?
            } else {
                while self.more(&mut rest).is_some() {}
                rest
            };
            reply.body = String::from_utf8(body).unwrap();
            for (_, cookie) in reply.headers.iter().filter(|(n, _)| n == "Set-Cookie") {
                let pair = cookie.split(';').next().unwrap();
                let name = pair.split('=').next().unwrap();
                self.cookies.retain(|c| c.split('=').next() != Some(name));
                let wanted = !["Max-Age=0", "Secure", "/other"]
                    .iter()
                    .any(|w| cookie.contains(w));
                if wanted {
                    self.cookies.push(pair.into());
                }
            }
            return Some(reply);
        }
    }

    fn chunks(&mut self, mut rest: Vec<u8>) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let at = loop {
                if let Some(at) = rest.windows(2).position(|w| w == b"\r\n") {
                    break at;
                }
                self.more(&mut rest)?;
            };
            let line = String::from_utf8(rest[..at].to_vec()).unwrap();
            let size = usize::from_str_radix(line.split(';').next().unwrap(), 16).unwrap();
            if size == 0 {
                while !rest.ends_with(b"\r\n\r\n") {
                    self.more(&mut rest)?;
                }
                return Some(body);
            }
            while rest.len() < at + 2 + size + 2 {
                self.more(&mut rest)?;
            }
            body.extend_from_slice(&rest[at + 2..at + 2 + size]);
            rest.drain(..at + 2 + size + 2);
        }
    }

    fn more(&mut self, to: &mut Vec<u8>) -> Option<()> {
        let mut chunk = [0; 65536];
        match self.stream.read(&mut chunk) {
            Ok(0) | Err(_) => None,
            Ok(n) => {
                to.extend_from_slice(&chunk[..n]);
                Some(())
            }
        }
    }

    /// Whether the ACS has closed the connection.
    pub fn closed(&mut self) -> bool {
        self.more(&mut Vec::new()).is_none()
    }

    /// How the connection ended: `None` = orderly.
    pub fn end(&mut self) -> Option<std::io::ErrorKind> {
        loop {
            match self.stream.read(&mut [0; 1024]) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(e) => return Some(e.kind()),
            }
        }
    }
}

fn connect(host: &str) -> TcpStream {
    let stream = TcpStream::connect(host).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream
}
