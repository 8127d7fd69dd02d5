//! Event names as a person types them: `cwmp-agent inform periodic`.

use crate::cwmp::event::{DeliveredBy, EventCode};

/// Reads an event code (`2 PERIODIC`), its number or its name in any case, with spaces,
/// `-` or `_` between words. Only events that an Inform delivers can be raised by hand.
pub fn parse(text: &str) -> Result<EventCode, String> {
    let wanted = plain(text);
    let all = [
        EventCode::Bootstrap,
        EventCode::Boot,
        EventCode::Periodic,
        EventCode::Scheduled,
        EventCode::ValueChange,
        EventCode::ConnectionRequest,
        EventCode::DiagnosticsComplete,
        EventCode::Wakeup,
        EventCode::Heartbeat,
    ];
    let found = all.iter().find(|code| {
        let code = code.text();
        let (number, name) = code.split_once(' ').unwrap_or((code, ""));
        wanted == plain(code) || wanted == number || wanted == plain(name)
    });
    if let Some(code) = found {
        return Ok(code.clone());
    }
    match EventCode::parse(text) {
        Some(code @ EventCode::Vendor(_)) => Ok(code),
        Some(code) if code.rule().delivered_by != DeliveredBy::InformResponse => Err(format!(
            "{code} belongs to a request of the agent's own and cannot be raised by hand"
        )),
        _ => {
            // The dispatcher sends this: it must fit a socket's buffer.
            let shown: String = text.chars().take(64).collect();
            Err(format!(
                "{shown:?} is no event that can be raised by hand; write one of {}",
                all.map(|c| format!("{:?}", c.text())).join(", ")
            ))
        }
    }
}

fn plain(text: &str) -> String {
    text.trim().to_ascii_uppercase().replace(['-', '_'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_numbers_and_names_are_read_in_any_case() {
        for text in ["2 PERIODIC", "2", "periodic", "2 periodic", "Periodic"] {
            assert_eq!(parse(text), Ok(EventCode::Periodic), "{text}");
        }
        for text in [
            "connection-request",
            "6 CONNECTION REQUEST",
            "connection_request",
        ] {
            assert_eq!(parse(text), Ok(EventCode::ConnectionRequest), "{text}");
        }
        assert!(parse("X 00D09E Button").is_ok());
    }

    #[test]
    fn events_of_other_requests_and_nonsense_are_refused_with_what_to_write() {
        for text in ["7 TRANSFER COMPLETE", "M Reboot", "nonsense", "", "99"] {
            let error = parse(text).unwrap_err();
            assert!(error.contains("by hand"), "{error}");
        }
        let error = parse(&"x".repeat(200_000)).unwrap_err();
        assert!(error.len() < 1000, "{}", error.len());
    }
}
