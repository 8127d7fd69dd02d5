//! What the ACS asks for: every RPC an ACS can send as a builder, and scripts of them.
//! It owns the ACS's side of the conversation; it must never know the CPE's code.

use std::collections::VecDeque;

use super::envelope::Node;
use super::misbehave::Trouble;
use super::record::HttpReply;
use super::soap::CpeMessage;

/// Looks at the reply to a step and says which steps come next, before the rest.
pub type Then = Box<dyn FnOnce(&CpeMessage) -> Vec<Step> + Send>;

/// One thing the ACS does when it is its turn.
pub enum Step {
    /// Send a request and wait for the reply.
    Send(Rpc),
    /// The same, then look at the reply.
    SendThen(Rpc, Then),
    /// From the next envelope on carry HoldRequests true or false; `None` = no header.
    Hold(Option<bool>),
    /// Answer with something else than a request: an end, a status, a trouble.
    Answer(AcsReply),
}

/// What the ACS does in one session after the InformResponse.
#[derive(Default)]
pub struct Script {
    pub(super) steps: VecDeque<Step>,
    pub(super) hold: Option<bool>,
}

impl Script {
    /// Nothing: the session ends at the first empty POST.
    pub fn new() -> Script {
        Script::default()
    }

    /// Send each of these in turn.
    pub fn of(rpcs: impl IntoIterator<Item = Rpc>) -> Script {
        Script {
            steps: rpcs.into_iter().map(Step::Send).collect(),
            hold: None,
        }
    }

    /// One more request.
    #[must_use]
    pub fn then(mut self, rpc: Rpc) -> Script {
        self.steps.push_back(Step::Send(rpc));
        self
    }

    /// One more request, and a look at its reply, which may add steps.
    #[must_use]
    pub fn then_with(
        mut self,
        rpc: Rpc,
        look: impl FnOnce(&CpeMessage) -> Vec<Step> + Send + 'static,
    ) -> Script {
        self.steps.push_back(Step::SendThen(rpc, Box::new(look)));
        self
    }

    /// One more step of any kind.
    #[must_use]
    pub fn step(mut self, step: Step) -> Script {
        self.steps.push_back(step);
        self
    }

    /// Begin with HoldRequests as given, already on the InformResponse.
    #[must_use]
    pub fn holding(mut self, hold: bool) -> Script {
        self.hold = Some(hold);
        self
    }

    /// Put steps before all others.
    pub fn push_front(&mut self, steps: Vec<Step>) {
        for step in steps.into_iter().rev() {
            self.steps.push_front(step);
        }
    }

    /// Steps not yet done.
    pub fn remaining(&self) -> usize {
        self.steps.len()
    }
}

/// What the ACS does in answer to one POST.
pub enum AcsReply {
    /// As the script (and, without one, the protocol) has it.
    Auto,
    /// Send this envelope now. For a response to the CPE's request its ID is echoed.
    Send(Rpc),
    /// A CWMP fault (8000–8006) in answer to the CPE's request.
    Fault(u16, String),
    /// The empty reply, in the way [`Behaviour::ending`](super::misbehave::Behaviour::ending) says.
    End,
    /// Any HTTP response.
    Http(HttpReply),
    /// Misbehave.
    Trouble(Trouble),
}

/// What a session handler may see and change.
pub struct SessionCtx {
    /// The session's number, from 1.
    pub session: u32,
    /// The number of this message in the session: the Inform is 1.
    pub post: u32,
    /// The Inform that began the session.
    pub inform: CpeMessage,
    /// What the ACS will do when the handler answers [`AcsReply::Auto`].
    pub script: Script,
}

/// A session's logic: called for every message of the CPE, the Inform included.
pub type Handler = Box<dyn FnMut(&mut SessionCtx, &CpeMessage) -> AcsReply + Send>;

/// One envelope of the ACS.
#[derive(Debug, Clone)]
pub struct Rpc {
    /// Name of the element in the Body: `GetParameterValues`.
    pub name: String,
    pub(super) args: Vec<Node>,
    /// SOAP headers besides ID and HoldRequests: name, text, mustUnderstand.
    pub(super) headers: Vec<(String, String, bool)>,
    pub(super) id: Option<String>,
    pub(super) raw: Option<Vec<u8>>,
}

impl Rpc {
    /// Any method with any arguments.
    pub fn new(name: &str, args: Vec<Node>) -> Rpc {
        Rpc {
            name: name.into(),
            args,
            headers: Vec::new(),
            id: None,
            raw: None,
        }
    }

    /// The same with this cwmp:ID instead of a running one.
    #[must_use]
    pub fn id(mut self, id: &str) -> Rpc {
        self.id = Some(id.into());
        self
    }

    /// The same with one more SOAP header in the cwmp namespace; a name with a colon,
    /// `x:Foo`, gets a foreign namespace.
    #[must_use]
    pub fn soap_header(mut self, name: &str, text: &str, must_understand: bool) -> Rpc {
        self.headers
            .push((name.into(), text.into(), must_understand));
        self
    }

    /// Whether this is a response of the ACS rather than a request.
    pub fn is_response(&self) -> bool {
        self.name.ends_with("Response") || self.name == "Fault"
    }
}

/// GetParameterValues (TR-069 A.3.2.2).
pub fn get_values(paths: &[&str]) -> Rpc {
    Rpc::new("GetParameterValues", vec![names("ParameterNames", paths)])
}

/// SetParameterValues (A.3.2.1): (path, type without prefix, value).
pub fn set_values(values: &[(&str, &str, &str)], key: &str) -> Rpc {
    let item = |(path, kind, value): &(&str, &str, &str)| {
        Node::parent(
            "ParameterValueStruct",
            vec![
                Node::text("Name", path),
                Node::text("Value", value).xsi_type(kind),
            ],
        )
    };
    let list = Node::array(
        "ParameterList",
        "ParameterValueStruct",
        values.iter().map(item),
    );
    Rpc::new(
        "SetParameterValues",
        vec![list, Node::text("ParameterKey", key)],
    )
}

/// GetParameterNames (A.3.2.3).
pub fn get_names(path: &str, next_level: bool) -> Rpc {
    get_names_text(path, if next_level { "1" } else { "0" })
}

/// GetParameterNames with NextLevel written in any way (`true`, `0`, `yes`).
pub fn get_names_text(path: &str, next_level: &str) -> Rpc {
    Rpc::new(
        "GetParameterNames",
        vec![
            Node::text("ParameterPath", path),
            Node::text("NextLevel", next_level),
        ],
    )
}

/// One entry of SetParameterAttributes.
#[derive(Debug, Clone)]
pub struct AttributeChange {
    pub path: String,
    /// `None`: NotificationChange=false with an empty Notification.
    pub notification: Option<u8>,
    /// `None`: AccessListChange=false with an empty AccessList.
    pub access: Option<Vec<String>>,
}

/// SetParameterAttributes (A.3.2.4).
pub fn set_attributes(changes: &[AttributeChange]) -> Rpc {
    let item = |c: &AttributeChange| {
        let number = c.notification.map(|n| n.to_string()).unwrap_or_default();
        let access = c.access.clone().unwrap_or_default();
        Node::parent(
            "SetParameterAttributesStruct",
            vec![
                Node::text("Name", &c.path),
                Node::flag("NotificationChange", c.notification.is_some()),
                Node::text("Notification", &number),
                Node::flag("AccessListChange", c.access.is_some()),
                Node::strings("AccessList", access.iter().map(String::as_str)),
            ],
        )
    };
    let list = Node::array(
        "ParameterList",
        "SetParameterAttributesStruct",
        changes.iter().map(item),
    );
    Rpc::new("SetParameterAttributes", vec![list])
}

/// SetParameterAttributes that only changes notification.
pub fn set_notification(changes: &[(&str, u8)]) -> Rpc {
    let change = |(path, n): &(&str, u8)| AttributeChange {
        path: (*path).into(),
        notification: Some(*n),
        access: None,
    };
    set_attributes(&changes.iter().map(change).collect::<Vec<_>>())
}

/// GetParameterAttributes (A.3.2.5).
pub fn get_attributes(paths: &[&str]) -> Rpc {
    Rpc::new(
        "GetParameterAttributes",
        vec![names("ParameterNames", paths)],
    )
}

/// AddObject (A.3.2.6).
pub fn add_object(path: &str, key: &str) -> Rpc {
    Rpc::new(
        "AddObject",
        vec![
            Node::text("ObjectName", path),
            Node::text("ParameterKey", key),
        ],
    )
}

/// DeleteObject (A.3.2.7).
pub fn delete_object(path: &str, key: &str) -> Rpc {
    Rpc::new(
        "DeleteObject",
        vec![
            Node::text("ObjectName", path),
            Node::text("ParameterKey", key),
        ],
    )
}

/// Reboot (A.3.2.9).
pub fn reboot(key: &str) -> Rpc {
    Rpc::new("Reboot", vec![Node::text("CommandKey", key)])
}

/// FactoryReset (A.4.1.6).
pub fn factory_reset() -> Rpc {
    Rpc::new("FactoryReset", Vec::new())
}

/// ScheduleInform (A.4.1.1 in older amendments): delay in seconds.
pub fn schedule_inform(delay: u32, key: &str) -> Rpc {
    let delay = Node::text("DelaySeconds", &delay.to_string());
    Rpc::new("ScheduleInform", vec![delay, Node::text("CommandKey", key)])
}

/// GetRPCMethods (A.3.1.1).
pub fn get_rpc_methods() -> Rpc {
    Rpc::new("GetRPCMethods", Vec::new())
}

/// GetQueuedTransfers (A.4.1.2).
pub fn get_queued_transfers() -> Rpc {
    Rpc::new("GetQueuedTransfers", Vec::new())
}

/// GetAllQueuedTransfers (A.4.1.8).
pub fn get_all_queued_transfers() -> Rpc {
    Rpc::new("GetAllQueuedTransfers", Vec::new())
}

/// CancelTransfer (A.4.1.9).
pub fn cancel_transfer(key: &str) -> Rpc {
    Rpc::new("CancelTransfer", vec![Node::text("CommandKey", key)])
}

/// What a Download, an Upload or a ScheduleDownload is about.
#[derive(Debug, Clone, Default)]
pub struct Transfer {
    pub key: String,
    /// `1 Firmware Upgrade Image`, …
    pub file_type: String,
    pub url: String,
    pub username: String,
    pub password: String,
    /// Octets; 0 = not said. Download only.
    pub size: u32,
    /// Download only.
    pub target_name: String,
    pub delay: u32,
}

/// Download (A.3.2.8).
pub fn download(t: &Transfer) -> Rpc {
    let mut args = transfer_head(t);
    args.extend([
        Node::text("FileSize", &t.size.to_string()),
        Node::text("TargetFileName", &t.target_name),
        Node::text("DelaySeconds", &t.delay.to_string()),
        Node::text("SuccessURL", ""),
        Node::text("FailureURL", ""),
    ]);
    Rpc::new("Download", args)
}

/// A window of a ScheduleDownload: start and end in seconds from the request, its mode,
/// MaxRetries.
pub type Window<'a> = (u32, u32, &'a str, i32);

/// ScheduleDownload (A.4.1.8).
pub fn schedule_download(t: &Transfer, windows: &[Window<'_>]) -> Rpc {
    let window = |(start, end, mode, retries): &Window<'_>| {
        Node::parent(
            "TimeWindowStruct",
            vec![
                Node::text("WindowStart", &start.to_string()),
                Node::text("WindowEnd", &end.to_string()),
                Node::text("WindowMode", mode),
                Node::text("UserMessage", "please"),
                Node::text("MaxRetries", &retries.to_string()),
            ],
        )
    };
    let mut args = transfer_head(t);
    args.extend([
        Node::text("FileSize", &t.size.to_string()),
        Node::text("TargetFileName", &t.target_name),
        Node::array(
            "TimeWindowList",
            "TimeWindowStruct",
            windows.iter().map(window),
        ),
    ]);
    Rpc::new("ScheduleDownload", args)
}

/// Upload (A.4.1.5).
pub fn upload(t: &Transfer) -> Rpc {
    let mut args = transfer_head(t);
    args.push(Node::text("DelaySeconds", &t.delay.to_string()));
    Rpc::new("Upload", args)
}

fn transfer_head(t: &Transfer) -> Vec<Node> {
    vec![
        Node::text("CommandKey", &t.key),
        Node::text("FileType", &t.file_type),
        Node::text("URL", &t.url),
        Node::text("Username", &t.username),
        Node::text("Password", &t.password),
    ]
}

/// These bytes as the body, whatever they are. `name` is for records only; a name
/// ending in `Response` is not counted as a request that awaits a reply.
pub fn raw(name: &str, xml: impl Into<Vec<u8>>) -> Rpc {
    Rpc {
        raw: Some(xml.into()),
        ..Rpc::new(name, Vec::new())
    }
}

fn names(list: &str, paths: &[&str]) -> Node {
    Node::strings(list, paths.iter().copied())
}
