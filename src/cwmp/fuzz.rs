//! Entry points for fuzz targets: bytes in, no panic out. The program itself uses none.

use super::datetime::DateTime;
use super::event::EventCode;
use super::fault::Fault;
use super::message::{CpeRequest, DeviceId, Event, Inform, Method};
use super::session::{Answer, Options, Session, Step};
use super::soap::{self, Limits};

/// Reads the bytes as one message of an ACS.
pub fn read_message(data: &[u8]) {
    let _ = soap::read_acs_message(data, &Limits::default());
}

/// Plays a whole session against an ACS whose replies are the bytes, cut at each NUL
/// byte. Returns how many steps it took until the session was over.
pub fn play_session(data: &[u8]) -> usize {
    let options = Options {
        methods: Method::ALL.to_vec(),
        ..Options::default()
    };
    let inform = Inform {
        device: DeviceId {
            manufacturer: "Example".into(),
            oui: "00005E".into(),
            product_class: "Router".into(),
            serial_number: "1".into(),
        },
        events: vec![Event {
            code: EventCode::Boot,
            command_key: String::new(),
        }],
        current_time: DateTime::Unknown,
        retry_count: 0,
        parameters: Vec::new(),
    };
    let mut replies = data.split(|b| *b == 0);
    let mut own = Some(CpeRequest::GetRpcMethods);
    let (mut session, mut step) = Session::start(options, &inform);
    let mut steps = 1;
    loop {
        step = match step {
            Step::Post(_) => match replies.next() {
                Some(body) => session.reply(200, body),
                None => session.broken("no more replies"),
            },
            Step::Answer(_) => session.answer(Answer::Fault(Fault::new(9001, ""))),
            Step::InformAccepted { .. } | Step::RequestDone { .. } => session.proceed(),
            Step::OwnRequest => session.request(own.take()),
            Step::Done | Step::Failed(_) => return steps,
        };
        steps += 1;
    }
}
