//! Whatever an ACS, or somebody in its place, sends: refused, quickly, in bounded memory.

mod cwmp_support;

use cwmp_agent::cwmp::fuzz;
use cwmp_agent::cwmp::session::{Failure, Step};
use cwmp_agent::cwmp::soap::{AcsMessage, Limits, ReadError, read_acs_message};
use cwmp_support::{
    NS12, at_inform, at_own_request, at_their_turn, envelope, inform_response, reboot,
};

fn read(body: &[u8]) -> Result<AcsMessage, ReadError> {
    read_acs_message(body, &Limits::default())
}

fn set_values() -> String {
    let list: String = (0..3)
        .map(|i| {
            format!(
                "<ParameterValueStruct><Name>Device.X.{i}</Name>\
                 <Value xsi:type=\"xsd:string\">caf\u{e9} <![CDATA[{i}]]><!-- c --></Value>\
                 </ParameterValueStruct>"
            )
        })
        .collect();
    envelope(
        NS12,
        &cwmp_support::id("1"),
        &format!(
            "<cwmp:SetParameterValues><ParameterList soap-enc:arrayType=\"cwmp:ParameterValueStruct[3]\">\
             {list}</ParameterList><ParameterKey>k</ParameterKey></cwmp:SetParameterValues>"
        ),
    )
}

// T-SOP-017
#[test]
fn a_message_cut_at_any_byte_is_refused() {
    for whole in [
        set_values(),
        inform_response(),
        cwmp_support::acs_fault(8005),
    ] {
        assert!(matches!(
            read(whole.as_bytes()),
            Ok(AcsMessage::Envelope(_))
        ));
        for end in 1..whole.len() {
            assert!(
                read(&whole.as_bytes()[..end]).is_err(),
                "{end} bytes of {whole}"
            );
        }
    }
}

#[test]
fn a_message_with_any_byte_changed_never_panics() {
    let whole = set_values().into_bytes();
    for at in 0..whole.len() {
        for byte in [0u8, b'<', b'>', b'"', b'&', b':', b' ', 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[at] = byte;
            let _ = read(&changed);
        }
    }
}

#[test]
fn twenty_thousand_levels_are_refused_on_a_small_stack() {
    let deep = format!("{}{}", "<a>".repeat(20_000), "</a>".repeat(20_000));
    let within = set_values().replace("<Value xsi:type=\"xsd:string\">", &format!("<Value>{deep}"));
    let open = "<a>".repeat(20_000);
    let thread = std::thread::Builder::new().stack_size(64 * 1024);
    let done = thread.spawn(move || {
        for text in [deep, within, open] {
            assert_eq!(read(text.as_bytes()), Err(ReadError::TooDeep { limit: 32 }));
        }
    });
    done.expect("a thread can be started")
        .join()
        .expect("no panic, no overflow");
}

// T-SOP-006
#[test]
fn document_types_and_entities_are_refused() {
    let body = set_values();
    let inside = body.split_once("?>\n").expect("it has a declaration").1;
    let bomb: String = (1..10)
        .map(|i| format!("<!ENTITY e{i} \"{}\">", format!("&e{};", i - 1).repeat(10)))
        .collect();
    for text in [
        format!("<!DOCTYPE x>{inside}"),
        format!(
            "<!DOCTYPE x [<!ENTITY e0 \"x\">{bomb}]>{}",
            inside.replace("caf\u{e9}", "&e9;")
        ),
        format!(
            "<!DOCTYPE x [<!ENTITY f SYSTEM \"file:///etc/passwd\">]>{}",
            inside.replace("caf\u{e9}", "&f;")
        ),
        format!(
            "<?xml version='1.0'?>\n<!-- c -->\n<!DOCTYPE x SYSTEM \"http://192.0.2.1/x.dtd\">{inside}"
        ),
    ] {
        assert_eq!(read(text.as_bytes()), Err(ReadError::Dtd));
    }
    let unknown = body.replace("caf\u{e9}", "&e9;");
    assert!(matches!(read(unknown.as_bytes()), Err(ReadError::Xml(_))));
}

#[test]
fn sizes_and_counts_are_bounded() {
    let long = vec![b' '; (1 << 20) + 1];
    assert_eq!(
        read(&long),
        Err(ReadError::TooLong {
            bytes: (1 << 20) + 1,
            limit: 1 << 20
        })
    );
    for text in [
        "<a/>".repeat(200_000),
        "<".repeat(1 << 20),
        "=".repeat(1 << 20),
        format!("<a>{}</a>", "<b/>".repeat(70_000)),
        format!("<a>{}</a>", "x<!---->".repeat(70_000)),
        format!(
            "<a {}/>",
            (0..90_000).map(|i| format!("a{i}='' ")).collect::<String>()
        ),
        format!("<a>{}</a>", "<b a='' c='' d='' e=''/>".repeat(40_000)),
    ] {
        assert!(
            matches!(read(text.as_bytes()), Err(ReadError::TooMany(_))),
            "{}",
            &text[..40]
        );
    }
}

// T-SOP-016: what TR-069 obliges us to read, and well beyond.
#[test]
fn a_large_honest_request_is_read() {
    let names: String = (0..4000)
        .map(|i| {
            format!("<string>Device.WiFi.AccessPoint.{i}.AssociatedDevice.1.MACAddress</string>")
        })
        .collect();
    let text = envelope(
        NS12,
        "",
        &format!(
            "<cwmp:GetParameterValues><ParameterNames soap-enc:arrayType=\"xsd:string[4000]\">{names}</ParameterNames></cwmp:GetParameterValues>"
        ),
    );
    assert!(text.len() > 256 * 1024);
    assert!(matches!(read(text.as_bytes()), Ok(AcsMessage::Envelope(_))));
    // Axis declares its namespaces on every single element.
    let values: String = (0..4000)
        .map(|i| {
            format!(
                "<ParameterValueStruct><Name>D.{i}</Name><Value xmlns:n{i}='http://www.w3.org/2001/XMLSchema' \
                 xsi:type='n{i}:string'>v</Value></ParameterValueStruct>"
            )
        })
        .collect();
    let text = envelope(
        NS12,
        "",
        &format!(
            "<cwmp:SetParameterValues><ParameterList>{values}</ParameterList><ParameterKey/></cwmp:SetParameterValues>"
        ),
    );
    assert!(matches!(read(text.as_bytes()), Ok(AcsMessage::Envelope(_))));
}

#[test]
fn only_utf_8_is_read() {
    let text = set_values();
    let latin: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).expect("latin-1"))
        .collect();
    assert!(matches!(read(&latin), Err(ReadError::Encoding(_))));
    for name in ["ISO-8859-1", "UTF-16", "utf8x", ""] {
        let declared = text.replace("UTF-8", name);
        assert!(
            matches!(read(declared.as_bytes()), Err(ReadError::Encoding(_))),
            "{name}"
        );
    }
    let utf16: Vec<u8> = [0xfeff]
        .into_iter()
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(matches!(read(&utf16), Err(ReadError::Encoding(_))));
    assert!(matches!(
        read(b"<?xml version='1.0' encoding=UTF-8?><a/>"),
        Err(ReadError::Xml(_))
    ));
}

// T-SOP-018
#[test]
fn what_is_no_envelope_is_refused() {
    let soap12 = inform_response().replace(
        "http://schemas.xmlsoap.org/soap/envelope/",
        "http://www.w3.org/2003/05/soap-envelope",
    );
    let twice = inform_response() + inform_response().split_once("?>\n").expect("declaration").1;
    for text in [
        "<!DOCTYPE html><html><body>Login</body></html>".to_string(),
        "<html><body>Login</body></html>".into(),
        "<html><br></html>".into(),
        "404 not found".into(),
        "{\"error\": 1}".into(),
        soap12,
        twice,
        inform_response().replace("soap-env:Body", "soap-env:Bod"),
        inform_response().replace("soap-env:Header", "soap-env:Body"),
        envelope(NS12, "", "<cwmp:Reboot/><cwmp:Reboot/>"),
        envelope(
            NS12,
            "<cwmp:HoldRequests>perhaps</cwmp:HoldRequests>",
            "<cwmp:FactoryReset/>",
        ),
        inform_response().replace(" xmlns:cwmp=", " xmlns:other="),
    ] {
        assert!(read(text.as_bytes()).is_err(), "{text}");
    }
}

// T-SOP-017, T-SOP-018: in each state that waits, rubbish ends the session as failed.
#[test]
fn rubbish_fails_the_session_in_every_waiting_state() {
    let half = &set_values()[..300];
    for body in ["<html></html>", "rubbish", half, "<!DOCTYPE a>", "\u{0}"] {
        for mut session in [at_inform(), at_their_turn(), {
            let mut s = at_own_request();
            cwmp_support::post(s.request(Some(cwmp_support::transfer_complete("k"))));
            s
        }] {
            let step = session.reply(200, body.as_bytes());
            assert!(
                matches!(step, Step::Failed(Failure::Unreadable(_))),
                "{step:?}"
            );
            // And stays so, whatever comes.
            let step = session.reply(200, inform_response().as_bytes());
            assert!(
                matches!(step, Step::Failed(Failure::Misused(_))),
                "{step:?}"
            );
        }
    }
}

#[test]
fn the_fuzz_entry_points_end_on_anything() {
    let known = cwmp_support::response_to("GetRPCMethods");
    let play = [inform_response(), known, String::new(), reboot("1", "k")].join("\0");
    // Inform, accepted, asked, GetRPCMethods, done, asked, empty POST, asked, done.
    assert_eq!(fuzz::play_session(play.as_bytes()), 9);
    assert!(fuzz::play_session(b"") > 0);
    fuzz::read_message(b"<");
    let mut state = 1u32;
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..64)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                b"<>/!?-[]=\"' abx:&;#\0\xc3\xa9"[(state >> 16) as usize % 22]
            })
            .collect();
        fuzz::read_message(&bytes);
        fuzz::play_session(&bytes);
    }
}
