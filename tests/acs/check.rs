//! Holds the CPE against the protocol, strictly: HTTP form, SOAP form, and what the
//! CWMP schemas require. Each finding is one line of text.

use roxmltree::Node as Xml;

use super::record::HttpRequest;
use super::soap::{self, CWMP, CpeKind, CpeMessage, ENC, SOAP, XSD, XSI, child, elements, text};

/// Arrays that must carry soapenc:arrayType, and the type of their items.
const ARRAYS: [(&str, &[&str]); 5] = [
    ("Event", &["EventStruct"]),
    (
        "ParameterList",
        &[
            "ParameterValueStruct",
            "ParameterInfoStruct",
            "ParameterAttributeStruct",
        ],
    ),
    ("MethodList", &["string"]),
    ("AccessList", &["string"]),
    (
        "TransferList",
        &["QueuedTransferStruct", "AllQueuedTransferStruct"],
    ),
];

/// CWMP data types that an xsi:type may name.
const TYPES: [&str; 11] = [
    "string",
    "int",
    "unsignedInt",
    "long",
    "unsignedLong",
    "boolean",
    "dateTime",
    "base64",
    "base64Binary",
    "hexBinary",
    "decimal",
];

/// The HTTP form of a POST (TR-069 3.4.1). `coded`: compression was asked for.
pub(super) fn http(r: &HttpRequest, coded: bool, wrong: &mut Vec<String>) {
    let mut must = |good: bool, what: String| {
        if !good {
            wrong.push(what);
        }
    };
    must(
        r.method == "POST",
        format!("method {} instead of POST", r.method),
    );
    must(
        r.version == "HTTP/1.1",
        format!("version {} instead of HTTP/1.1", r.version),
    );
    for name in [
        "Host",
        "Content-Length",
        "Content-Type",
        "SOAPAction",
        "Cookie",
    ] {
        let count = r.headers_named(name).count();
        must(count <= 1, format!("{count} headers {name}"));
    }
    must(r.header("Host").is_some(), "no Host header".into());
    must(
        r.header("Transfer-Encoding").is_none(),
        "a chunked request: many ACSs refuse it".into(),
    );
    must(
        coded || r.header("Content-Encoding").is_none(),
        "a compressed request that nobody asked for".into(),
    );
    must(
        r.header("Content-Length").is_some(),
        "no Content-Length".into(),
    );
    if let Some((name, _)) = r
        .headers
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case("SOAPAction"))
    {
        must(
            name == "SOAPAction",
            format!("header {name} not written SOAPAction"),
        );
    }
    if r.body.is_empty() {
        must(
            r.header("SOAPAction").is_none(),
            "SOAPAction on an empty POST".into(),
        );
        must(
            r.header("Content-Encoding").is_none(),
            "Content-Encoding on an empty POST".into(),
        );
        must(
            r.header("Content-Type").is_none(),
            "Content-Type on an empty POST".into(),
        );
        return;
    }
    let kind = r
        .header("Content-Type")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let mut parts = kind.split(';').map(str::trim);
    must(
        parts.next() == Some("text/xml"),
        format!("Content-Type `{kind}` instead of text/xml"),
    );
    for part in parts {
        let charset = part.strip_prefix("charset=").map(|c| c.trim_matches('"'));
        must(
            charset == Some("utf-8"),
            format!("Content-Type parameter `{part}`"),
        );
    }
}

/// SOAPAction by the kind of the message (TR-069 3.4.1, SOAP 1.1 section 6.1.1).
pub(super) fn soap_action(r: &HttpRequest, m: &CpeMessage, wrong: &mut Vec<String>) {
    match (&m.kind, r.header("SOAPAction")) {
        (CpeKind::Request, None) => wrong.push(format!("no SOAPAction on {}", m.name)),
        (CpeKind::Response | CpeKind::Fault, Some(v)) if !v.is_empty() => {
            wrong.push(format!(
                "SOAPAction `{v}` on {}: must be empty, without quotes",
                m.name
            ));
        }
        _ => {}
    }
}

/// What a picky ACS answers 400 to; why.
pub(super) fn picky(m: &CpeMessage) -> Option<String> {
    if m.minor.is_some_and(|n| n > 2) {
        return Some("a namespace above cwmp-1-2".into());
    }
    if m.raw.contains("<![CDATA[") {
        return Some("CDATA".into());
    }
    let empty = m
        .inform
        .as_ref()
        .filter(|i| i.oui.is_empty() || i.serial_number.is_empty());
    if empty.is_some() {
        return Some("an empty SerialNumber or OUI".into());
    }
    let doc = soap::parse(&m.raw).ok()?;
    let lacking =
        |n: &Xml| n.tag_name().name() == "ParameterValueStruct" && child(*n, "Value").is_none();
    doc.descendants()
        .find(lacking)
        .map(|_| "a missing Value".into())
}

/// The SOAP form and the schema's rules.
pub(super) fn envelope(m: &CpeMessage, wrong: &mut Vec<String>) {
    if let CpeKind::Unreadable(why) = &m.kind {
        wrong.push(format!("a message that is no SOAP: {why}"));
    }
    // CDATA is well-formed, but the ACS of field note 9 refuses it.
    if m.raw.contains("<![CDATA[") {
        wrong.push(format!("CDATA in {}", m.name));
    }
    let Ok(doc) = soap::parse(&m.raw) else { return };
    let root = doc.root_element();
    if !root.has_tag_name((SOAP, "Envelope")) {
        return;
    }
    let mut must = |good: bool, what: String| {
        if !good {
            wrong.push(format!("{}: {what}", m.name));
        }
    };
    let parts: Vec<_> = elements(root).map(|e| e.tag_name().name()).collect();
    must(
        parts == ["Header", "Body"] || parts == ["Body"],
        format!("the Envelope holds {parts:?}"),
    );
    let soapy = elements(root).all(|e| e.tag_name().namespace() == Some(SOAP));
    must(soapy, "Header or Body outside the SOAP namespace".into());
    for h in child(root, "Header").iter().flat_map(|h| elements(*h)) {
        let name = h.tag_name().name();
        let flag = h.attribute((SOAP, "mustUnderstand"));
        must(
            is_cwmp(h),
            format!("header {name} outside the cwmp namespace"),
        );
        match name {
            "ID" => must(flag == Some("1"), "ID without mustUnderstand=\"1\"".into()),
            "SessionTimeout" | "SupportedCWMPVersions" => {
                must(
                    matches!(flag, None | Some("0")),
                    format!("{name} with mustUnderstand"),
                );
                must(m.name == "Inform", format!("{name} outside an Inform"));
            }
            _ => must(false, format!("header {name}, which no CPE sends")),
        }
    }
    let Some(body) = child(root, "Body") else {
        return;
    };
    let count = elements(body).count();
    must(count == 1, format!("{count} elements in the Body"));
    let Some(rpc) = elements(body).next() else {
        return;
    };
    if m.kind == CpeKind::Fault {
        fault(rpc, &mut must);
        return;
    }
    must(
        is_cwmp(rpc),
        "the RPC element is outside the cwmp namespace".into(),
    );
    must(
        m.minor.is_none_or(|n| n <= 2),
        "a namespace above cwmp-1-2".into(),
    );
    must(
        m.kind != CpeKind::Request || m.id.is_some(),
        "a request without cwmp:ID".into(),
    );
    for node in rpc.descendants().filter(|n| n.is_element() && *n != rpc) {
        must(
            bare(node),
            format!("argument {} is in a namespace", node.tag_name().name()),
        );
        array(node, &mut must);
        value(node, &mut must);
    }
    if m.name == "Inform" {
        inform(m, rpc, &mut must);
    }
}

/// In no namespace; roxmltree reports `xmlns=""` as an empty one.
fn bare(node: Xml) -> bool {
    node.tag_name().namespace().is_none_or(str::is_empty)
}

fn is_cwmp(node: Xml) -> bool {
    node.tag_name()
        .namespace()
        .is_some_and(|n| n.starts_with(CWMP))
}

fn fault(rpc: Xml, must: &mut impl FnMut(bool, String)) {
    must(
        rpc.has_tag_name((SOAP, "Fault")),
        "Fault outside the SOAP namespace".into(),
    );
    let code = child(rpc, "faultcode").map(text).unwrap_or_default();
    let kind = soap::unprefixed(&code);
    if kind == "MustUnderstand" || kind == "VersionMismatch" {
        return;
    }
    must(
        kind == "Client" || kind == "Server",
        format!("faultcode `{code}`"),
    );
    let string = child(rpc, "faultstring").map(text).unwrap_or_default();
    must(
        string == "CWMP fault",
        format!("faultstring `{string}` instead of `CWMP fault`"),
    );
    let details: Vec<Xml> = child(rpc, "detail")
        .iter()
        .flat_map(|d| elements(*d))
        .collect();
    let [detail] = details.as_slice() else {
        must(false, format!("{} elements in detail", details.len()));
        return;
    };
    must(
        is_cwmp(*detail) && detail.tag_name().name() == "Fault",
        "detail holds no cwmp:Fault".into(),
    );
    let number = |n: Xml| {
        child(n, "FaultCode")
            .map(text)
            .and_then(|t| t.parse::<u16>().ok())
    };
    let code = number(*detail);
    must(
        code.is_some_and(|c| (9000..=9899).contains(&c)),
        format!("FaultCode {code:?}"),
    );
    for node in elements(*detail) {
        let name = node.tag_name().name();
        let known = ["FaultCode", "FaultString", "SetParameterValuesFault"].contains(&name);
        must(known && bare(node), format!("{name} in cwmp:Fault"));
        if name == "SetParameterValuesFault" {
            must(
                code == Some(9003),
                format!("SetParameterValuesFault with FaultCode {code:?}"),
            );
            must(
                number(node).is_some(),
                "SetParameterValuesFault without FaultCode".into(),
            );
            must(
                child(node, "ParameterName").is_some(),
                "it names no parameter".into(),
            );
        }
    }
}

fn array(node: Xml, must: &mut impl FnMut(bool, String)) {
    let name = node.tag_name().name();
    let kind = node.attribute((ENC, "arrayType"));
    let known = ARRAYS.iter().find(|(n, _)| *n == name);
    let Some(kind) = kind else {
        must(known.is_none(), format!("{name} without soapenc:arrayType"));
        return;
    };
    let count = elements(node).count();
    let Some((item, number)) = kind.strip_suffix(']').and_then(|k| k.split_once('[')) else {
        must(false, format!("{name}: arrayType `{kind}`"));
        return;
    };
    must(
        number.parse() == Ok(count),
        format!("{name}: arrayType `{kind}` over {count} elements"),
    );
    let (prefix, local) = item.split_once(':').unwrap_or(("", item));
    let namespace = node.lookup_namespace_uri(Some(prefix));
    let bound = if local == "string" {
        namespace == Some(XSD)
    } else {
        namespace.is_some_and(|n| n.starts_with(CWMP))
    };
    must(
        bound,
        format!("{name}: the prefix of `{kind}` is not bound to the type's namespace"),
    );
    if let Some((_, items)) = known {
        must(items.contains(&local), format!("{name}: item type {local}"));
    }
    for e in elements(node) {
        must(
            e.tag_name().name() == local,
            format!("{} in an array of {local}", e.tag_name().name()),
        );
    }
    must(
        node.attribute((XSI, "type")).is_none(),
        format!("{name}: xsi:type on an array is not valid against the cwmp schema"),
    );
}

fn value(node: Xml, must: &mut impl FnMut(bool, String)) {
    if node.tag_name().name() != "ParameterValueStruct" {
        return;
    }
    let name = child(node, "Name").map(text).unwrap_or_default();
    let Some(value) = child(node, "Value") else {
        must(false, format!("{name} has no Value"));
        return;
    };
    let Some(kind) = value.attribute((XSI, "type")) else {
        must(false, format!("the Value of {name} has no xsi:type"));
        return;
    };
    let (prefix, local) = kind.split_once(':').unwrap_or(("", kind));
    let namespace = value.lookup_namespace_uri(Some(prefix));
    let bound = matches!(namespace, Some(XSD | ENC));
    must(
        bound,
        format!("{name}: the prefix of xsi:type `{kind}` is not bound to XML Schema"),
    );
    must(
        TYPES.contains(&local),
        format!("{name}: xsi:type `{kind}` is no CWMP type"),
    );
}

fn inform(m: &CpeMessage, rpc: Xml, must: &mut impl FnMut(bool, String)) {
    let Some(i) = &m.inform else { return };
    let order: Vec<_> = elements(rpc).map(|e| e.tag_name().name()).collect();
    let want = [
        "DeviceId",
        "Event",
        "MaxEnvelopes",
        "CurrentTime",
        "RetryCount",
        "ParameterList",
    ];
    must(order == want, format!("arguments {order:?}"));
    must(
        !i.manufacturer.is_empty() && i.manufacturer.len() <= 64,
        "Manufacturer".into(),
    );
    let hex = |c: char| c.is_ascii_digit() || ('A'..='F').contains(&c);
    must(
        i.oui.len() == 6 && i.oui.chars().all(hex),
        format!("OUI `{}`", i.oui),
    );
    must(i.product_class.len() <= 64, "ProductClass".into());
    must(
        !i.serial_number.is_empty() && i.serial_number.len() <= 64,
        "SerialNumber".into(),
    );
    must(
        // None: a retry whose events must not be told again, or were delivered already.
        i.events.len() <= 64 && (i.retry_count > 0 || !i.events.is_empty()),
        format!("{} events", i.events.len()),
    );
    for (at, event) in i.events.iter().enumerate() {
        let repeats = !event.code.starts_with("M ") && i.events.iter().take(at).any(|e| e == event);
        must(!repeats, format!("event {} twice", event.code));
    }
    must(
        i.max_envelopes == "1",
        format!("MaxEnvelopes {}", i.max_envelopes),
    );
    must(
        date_time(&i.current_time),
        format!("CurrentTime `{}`", i.current_time),
    );
    must(i.retry_count != u32::MAX, "RetryCount is no number".into());
}

/// Whether this has the form of a dateTime as TR-069 uses it, zone `Z`, `±hh:mm` or none.
fn date_time(text: &str) -> bool {
    let form = |t: &str, pattern: &str| {
        t.len() == pattern.len()
            && t.bytes().zip(pattern.bytes()).all(|(c, p)| {
                if p == b'0' {
                    c.is_ascii_digit()
                } else {
                    c == p
                }
            })
    };
    let Some((head, mut rest)) = text.split_at_checked(19) else {
        return false;
    };
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    let zone = rest.is_empty() || rest == "Z" || form(rest, "+00:00") || form(rest, "-00:00");
    form(head, "0000-00-00T00:00:00") && zone
}
