//! How the ACS may differ from the friendly one: its manners (cookies, framing, XML
//! style) and its troubles (what goes wrong, when, how often).

use super::record::HttpReply;

/// Manners of the ACS, in force for every reply.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    pub framing: Framing,
    /// `Connection: close` on every reply.
    pub close_each: bool,
    /// `HTTP/1.1 100 Continue` before every reply.
    pub continue_first: bool,
    pub ending: Ending,
    pub cookies: Cookies,
    /// Answer 400 to CWMP the way field notes 8 and 9 say: namespaces above cwmp-1-2,
    /// CDATA, a missing Value, an empty SerialNumber or OUI.
    pub picky: bool,
    /// While a session was not ended, answer this many Informs with 400 "already in session".
    pub in_session_refusals: u32,
    pub style: SoapStyle,
    /// What becomes of a compressed request.
    pub takes: Takes,
    /// Replies with a body go out in this coding: the value of `Content-Encoding`.
    pub replies_in: Option<&'static str>,
}

/// What becomes of a compressed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Takes {
    /// Nobody asked for one.
    #[default]
    Nothing,
    /// gzip and deflate are read.
    Codings,
    /// It is answered with this status.
    Refusing(u16),
}

/// How a body is framed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Framing {
    #[default]
    ContentLength,
    /// Chunks of these sizes in turn, with an extension on some, then trailers.
    Chunked { sizes: Vec<usize>, trailers: bool },
    /// HTTP/1.0, no Content-Length, body up to the close.
    Http10,
    /// HTTP/1.1 with `Connection: close` and no Content-Length.
    UntilClose,
}

/// How the ACS says that it has nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ending {
    #[default]
    NoContent,
    /// 204 with `Connection: close`.
    NoContentClose,
    /// 200 with Content-Length 0.
    EmptyOk,
    /// 200 with an empty chunked body.
    EmptyChunked,
}

/// Which cookies are set when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookies {
    /// (reply to post number, value of a Set-Cookie header). Post 1 is the Inform.
    /// `{s}` is replaced by a text of its own for each session.
    pub set: Vec<(u32, String)>,
    /// Answer 400 to a later POST that lacks a cookie it should carry.
    pub required: bool,
}

impl Default for Cookies {
    /// One cookie, on the InformResponse only, without Path (field note 1).
    fn default() -> Cookies {
        Cookies {
            set: vec![(1, "session={s}".into())],
            required: true,
        }
    }
}

impl Cookies {
    /// None at all.
    pub fn none() -> Cookies {
        Cookies {
            set: Vec::new(),
            required: false,
        }
    }

    /// Three cookies on the InformResponse, one replaced at post 2, one expired at post 3.
    pub fn changing() -> Cookies {
        let set = [
            (1, "session={s}; Path=/; HttpOnly"),
            (1, "route=\"a.1\"; Version=1"),
            (1, "brief=x"),
            (1, "elsewhere=no; Path=/other"),
            (1, "secret=no; Secure"),
            (2, "route=b2"),
            (3, "brief=gone; Max-Age=0"),
        ];
        Cookies {
            set: set.map(|(n, c)| (n, c.to_string())).to_vec(),
            required: true,
        }
    }
}

/// How envelopes are written.
#[derive(Debug, Clone)]
pub struct SoapStyle {
    /// N of `urn:dslforum-org:cwmp-1-N`.
    pub minor: u8,
    pub prefixes: Prefixes,
    pub ids: Ids,
    /// Every text in CDATA.
    pub cdata: bool,
    /// Comments between elements and inside texts.
    pub comments: bool,
    /// Every third character of a text as a character reference.
    pub char_refs: bool,
    /// A UTF-8 byte order mark first.
    pub bom: bool,
    /// `<?xml …?>` first.
    pub declaration: bool,
    /// Booleans as `true`/`false` instead of `1`/`0`.
    pub bool_words: bool,
    /// `xsi:type="soapenc:Array"` on arrays.
    pub typed_arrays: bool,
    /// NoMoreRequests header on every envelope.
    pub no_more_requests: bool,
    /// UseCWMPVersion on the InformResponse.
    pub use_version: Option<String>,
}

impl Default for SoapStyle {
    fn default() -> SoapStyle {
        SoapStyle {
            minor: 0,
            prefixes: Prefixes::Usual,
            ids: Ids::Running,
            cdata: false,
            comments: false,
            char_refs: false,
            bom: false,
            declaration: true,
            bool_words: false,
            typed_arrays: false,
            no_more_requests: false,
            use_version: None,
        }
    }
}

/// Which prefixes, declared where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefixes {
    /// soap-env, soap-enc, xsd, xsi, cwmp on the Envelope.
    Usual,
    /// Unexpected ones.
    Odd,
    /// SOAP as the default namespace, cwmp as the default namespace of the RPC
    /// element, undone on its children.
    DefaultNamespace,
    /// Each namespace declared on the element that needs it.
    Inner,
}

/// What the cwmp:ID of requests looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ids {
    Running,
    /// Long, with characters that need escaping.
    Odd,
    /// No ID header at all.
    None,
}

/// One thing that goes wrong.
#[derive(Debug, Clone)]
pub struct Rule {
    pub when: When,
    pub what: Trouble,
    /// How often; afterwards the ACS behaves.
    pub times: u32,
}

impl Rule {
    /// Once.
    pub fn once(when: When, what: Trouble) -> Rule {
        Rule {
            when,
            what,
            times: 1,
        }
    }

    /// `times` times.
    pub fn times(times: u32, when: When, what: Trouble) -> Rule {
        Rule { when, what, times }
    }
}

/// When a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Always,
    /// At the n-th message of a session (the Inform is 1). A message that is sent again
    /// after a trouble keeps its number.
    Post(u32),
    /// At the n-th message of the s-th session.
    In {
        session: u32,
        post: u32,
    },
    /// At a message of this name (`Inform`, `TransferComplete`, `""` = empty POST).
    Message(&'static str),
    /// At a request on this listener.
    Listener(usize),
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// Any HTTP status, with headers and body.
    Status(HttpReply),
    /// A redirect.
    Redirect { status: u16, to: Target },
    /// Read the request, never answer (until the ACS stops or the CPE hangs up).
    Silent,
    /// Close before the request is read.
    DropBeforeReading,
    /// Close after the request was read, unanswered.
    DropAfterReading,
    /// Take the message, send half of the reply, close.
    DropHalfReply,
    /// As DropAfterReading, with a TCP reset.
    Reset,
    /// Answer well, then close without having said so.
    CloseAfterReply,
    /// A CWMP fault.
    Fault(u16),
    /// A fault that is not XML: `<soap-env:Body:Fault>`.
    MalformedFault,
    /// Half of the right envelope, with a correct length.
    TruncatedXml,
    /// An HTML page with status 200.
    Html,
    /// The right envelope with a harmless DOCTYPE.
    Doctype,
    /// Entities that grow by ten, ten times over.
    EntityBomb,
    /// An external entity.
    ExternalEntity,
    /// This many elements inside each other.
    Deep(usize),
    /// A body of this many octets.
    Oversized(usize),
    /// An answer to the Inform that is a request.
    WrongOrder,
    /// The right envelope with a foreign header that must be understood.
    MustUnderstand,
    /// An empty reply where the protocol wants an envelope.
    Empty,
    /// Two envelopes in one reply.
    TwoEnvelopes,
    /// These octets as the body of a 200.
    Body(Vec<u8>),
    /// These octets on the socket instead of an HTTP response, then close.
    Wire(Vec<u8>),
}

/// Where a redirect leads.
#[derive(Debug, Clone)]
pub enum Target {
    /// Another listener of this ACS (another port), any path.
    Listener(usize, String),
    /// The same listener, another path.
    Path(String),
    /// Any URL.
    Url(String),
    /// A Location without scheme and host.
    Relative(String),
    /// No Location header.
    Missing,
}

impl Trouble {
    /// 400 as an ACS sends it to an Inform during a session (field note 3).
    pub fn already_in_session() -> Trouble {
        Trouble::Status(HttpReply::status(400).body(b"CPE already in session".to_vec()))
    }

    /// A bare status.
    pub fn status(status: u16) -> Trouble {
        Trouble::Status(HttpReply::status(status))
    }

    /// 503 with Retry-After in seconds.
    pub fn busy(retry_after: u32) -> Trouble {
        let reply = HttpReply::status(503).header("Retry-After", &retry_after.to_string());
        Trouble::Status(reply)
    }

    /// Whether it swallows the message, so that the CPE may send it again.
    pub(super) fn swallows(&self) -> bool {
        use Trouble::*;
        matches!(
            self,
            Redirect { .. } | Silent | DropBeforeReading | DropAfterReading | Reset
        )
    }

    /// Whether it is made out of the right answer.
    pub(super) fn bends(&self) -> bool {
        use Trouble::*;
        matches!(
            self,
            DropHalfReply
                | CloseAfterReply
                | TruncatedXml
                | Doctype
                | MustUnderstand
                | TwoEnvelopes
        )
    }

    /// Whether no CPE may go on with the session after it.
    pub(super) fn breaks(&self) -> bool {
        use Trouble::*;
        matches!(
            self,
            Status(_)
                | TruncatedXml
                | Html
                | Doctype
                | EntityBomb
                | ExternalEntity
                | Deep(_)
                | Oversized(_)
                | WrongOrder
                | TwoEnvelopes
                | Wire(_)
        )
    }

    /// A short name for records.
    pub fn name(&self) -> String {
        match self {
            Trouble::Status(r) => format!("status {}", r.status),
            Trouble::Redirect { status, .. } => format!("redirect {status}"),
            Trouble::Fault(code) => format!("fault {code}"),
            Trouble::Body(b) => format!("body of {} octets", b.len()),
            Trouble::Wire(b) => format!("{} octets of no HTTP", b.len()),
            other => format!("{other:?}").to_lowercase(),
        }
    }
}
