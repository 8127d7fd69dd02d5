//! Values for the parameters of a schema, made from what it says of them: the ends of what
//! is allowed, what lies between, and texts that find what is wrong with quoting.

// Each test program uses a part of this.
#![allow(dead_code)]

pub mod rules;

use cwmp_agent::model::ValueType;
use cwmp_agent::model::schema::ParameterView;
use std::collections::BTreeSet;

/// Texts that find what is wrong with quoting.
const TEXTS: &[&str] = &[
    "",
    "x",
    "a \"quoted\" Straße & 'more' <of> it # $(reboot) \\ `x`",
    "'",
    "\"",
    "\\",
    "#",
    "two words",
    "tab\there",
    "with a\nline break",
    "ドメイン.例",
    "%20%2C",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "<-03>3",
    "UTC0",
];

/// Samples of every form that a pattern or a named type of the shipped model asks for.
const FORMS: &[&str] = &[
    "http://acs.example.net:7547/a?b=c%20d",
    "https://[2001:db8::1]/'\"",
    "DE ",
    "FRI",
    "USO",
    "192.0.2.77",
    // Of the sample router's LAN.
    "192.168.1.177",
    "198.51.100.0/24",
    "255.255.0.0",
    "255.255.255.252",
    "2001:db8::77",
    "2001:db8:1::/48",
    "fd12:3456:789a::/48",
    "02:00:5e:00:53:99",
    "02:00:5E:00:53:98",
    "01234567-89ab-cdef-0123-456789abcdef",
    "1",
    "65535",
    "2 Web Content",
    "X 02005E Ring Tone",
];

/// Values beside the one that there is: what must fit a network that the router has.
fn near(now: &str) -> Vec<String> {
    let (address, length) = match now.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (now, None),
    };
    let Some((network, _)) = address.rsplit_once('.') else {
        return Vec::new();
    };
    // A mask has no neighbours.
    if address.starts_with("255.") || address.parse::<core::net::Ipv4Addr>().is_err() {
        return Vec::new();
    }
    match length {
        Some(_) => vec![format!("{network}.64/26"), format!("{network}.0/25")],
        None => ["101", "120", "200"]
            .map(|host| format!("{network}.{host}"))
            .to_vec(),
    }
}

/// What one item of a parameter can be: its ends, and what lies between.
fn items(parameter: &ParameterView<'_>) -> Vec<String> {
    let facets = parameter.facets();
    if !facets.enumeration.is_empty() {
        return facets.enumeration.iter().map(|e| e.to_string()).collect();
    }
    let base = facets.named.base;
    let own = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
    match base {
        ValueType::Boolean => own(&["true", "false", "1", "0"]),
        ValueType::DateTime => own(&[
            "0001-01-01T00:00:00Z",
            "2026-01-31T23:59:59Z",
            "2038-01-19T03:14:08Z",
            "2026-06-30T12:00:00+02:00",
        ]),
        _ if base.is_number() => {
            let (low, high): (i128, i128) = match base {
                ValueType::Int => (i32::MIN.into(), i32::MAX.into()),
                ValueType::UnsignedInt => (0, u32::MAX.into()),
                ValueType::Long => (i64::MIN.into(), i64::MAX.into()),
                _ => (0, u64::MAX.into()),
            };
            let end = |bound: &Option<Box<str>>, or: i128| {
                let own = bound.as_deref().map(|text| text.parse());
                own.map_or(or, |n| n.expect("a whole bound"))
            };
            let (low, high) = (end(&facets.min, low), end(&facets.max, high));
            let between = [low + 1, low / 2 + high / 2, high - 1, 60, 22];
            let all = [low, high].into_iter().chain(between);
            all.filter(|n| (low..=high).contains(n))
                .map(|n| n.to_string())
                .collect()
        }
        ValueType::HexBinary | ValueType::Base64 => {
            let least = facets.min_length().unwrap_or(1).max(1) as usize;
            let most = facets.max_length().unwrap_or(64) as usize;
            let ends = [least, most].into_iter();
            ends.flat_map(|n| ["a5".repeat(n), "00".repeat(n)])
                .collect()
        }
        _ => {
            // What has no form of its own takes every text.
            let formless = facets.pattern.is_none() && facets.named.form.is_empty();
            let mut all: Vec<String> = own(TEXTS);
            if !formless {
                all.extend(own(FORMS));
            }
            // The shortest and the longest, in letters of one octet and of three.
            let most = facets.max_length().unwrap_or(300) as usize;
            let least = facets.min_length().unwrap_or(1) as usize;
            let octets = facets.max_octets.map_or(most, |n| n as usize / 3);
            all.push("a".repeat(least));
            all.push("z".repeat(most));
            all.push("語".repeat(octets.min(most)));
            all
        }
    }
}

/// Values for a parameter, in canonical form and without the ones its schema forbids.
pub fn values(
    parameter: &ParameterView<'_>,
    rows: &BTreeSet<String>,
    path: &str,
    now: &str,
) -> Vec<String> {
    let facets = parameter.facets();
    let mut all: Vec<String> = Vec::new();
    if parameter.type_name() == "Alias" {
        // Different from those of the other rows.
        let row = path.replace('.', "-");
        let row = &row[row.len().saturating_sub(40)..];
        all.extend([format!("a{row}"), format!("Z_9.{row}")]);
        all.push(format!("{row:L<64}").replacen('-', "L", 1));
    } else if parameter.references().is_empty() {
        all = near(now);
        all.extend(items(parameter));
    } else {
        all.push(String::new());
        for table in parameter.references() {
            let table = table.trim_end_matches("{i}.");
            let is_row = |row: &&String| {
                let number = row.strip_prefix(table);
                number.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
            };
            all.extend(rows.iter().filter(is_row).cloned());
        }
    }
    if let Some(list) = facets.list {
        let escape = |item: &String| {
            let item = item.replace('%', "%25").replace(',', "%2C");
            item.replace(' ', "%20").replace(['\t', '\n'], "%09")
        };
        let items: Vec<String> = all
            .iter()
            .filter(|item| facets.check_item(item).is_ok() && !item.is_empty())
            .map(escape)
            .collect();
        let most = list.max_items.map_or(items.len(), |n| n as usize);
        let parts = items.iter().map(String::as_str);
        all = vec![
            String::new(),
            parts.clone().take(most).collect::<Vec<_>>().join(","),
        ];
        all.extend(items.clone());
        for (i, one) in parts.clone().enumerate() {
            for (j, two) in parts.clone().enumerate().skip(i + 1) {
                all.push(format!("{one},{two}"));
                // Of words, every three; of other texts, one that comes next.
                let most = if facets.enumeration.is_empty() {
                    1
                } else {
                    usize::MAX
                };
                let third = parts.clone().skip(j + 1).take(most);
                all.extend(third.map(|three| format!("{one},{two},{three}")));
            }
            if facets.enumeration.is_empty() {
                break;
            }
        }
    }
    let mut seen = BTreeSet::new();
    all.iter()
        .filter_map(|value| facets.check(value).ok())
        .filter(|value| seen.insert(value.clone()))
        .collect()
}
