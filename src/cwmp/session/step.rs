//! What goes into a session and what comes out of it.

use crate::cwmp::fault::{self, AcsFault, Fault};
use crate::cwmp::message::{AcsRequest, CpeRequest, CpeResponse, Method};
use crate::cwmp::soap::{Limits, NamesWriter, ReadError, ValuesWriter};
use crate::cwmp::version::CwmpVersion;
use std::fmt;

#[cfg(doc)]
use super::Session;

/// What a session needs to know beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The highest version offered; Inform is written in its namespace.
    pub version: CwmpVersion,
    /// Seconds for the `SessionTimeout` header of Inform (from CWMP 1.3 on); `None`
    /// leaves the header out.
    pub session_timeout: Option<u32>,
    /// The methods this CPE offers. A call of any other is answered 9000 by the machine,
    /// before its arguments are looked at.
    pub methods: Vec<Method>,
    /// Bounds of one message from the ACS.
    pub limits: Limits,
    /// Bytes one message of ours may have; a response past it becomes fault 9004.
    pub message_cap: usize,
    /// How often a request is repeated on fault 8005 before the session fails.
    pub repeats: u32,
    /// How many POSTs a session may take before it fails.
    pub max_posts: u32,
}

impl Default for Options {
    /// CWMP 1.4, no timeout header, no methods, 8 MiB, 10 repeats, 20,000 posts.
    fn default() -> Options {
        Options {
            version: CwmpVersion::V1_4,
            session_timeout: None,
            methods: Vec::new(),
            limits: Limits::default(),
            message_cap: 8 << 20,
            repeats: 10,
            max_posts: 20_000,
        }
    }
}

/// What the caller must do next.
#[derive(Debug)]
pub enum Step {
    /// POST this, then call [`Session::reply`] with what came back, or
    /// [`Session::broken`] when nothing did.
    Post(Post),
    /// The ACS asks: call [`Session::answer`].
    Answer(AcsRequest),
    /// The ACS has accepted the Inform: mark its events delivered, then call
    /// [`Session::proceed`].
    InformAccepted {
        /// The version settled on, for the rest of the session.
        version: CwmpVersion,
    },
    /// The CPE may ask: call [`Session::request`] with a request, or with `None` when
    /// there is nothing (more) to ask now. The question comes again after each own
    /// request and once the ACS has nothing more to ask.
    OwnRequest,
    /// An own request is over: note the outcome, then call [`Session::proceed`].
    RequestDone {
        request: Box<CpeRequest>,
        outcome: Outcome,
    },
    /// The session has ended well. Nothing may follow.
    Done,
    /// The session has failed: the retry policy is next. Nothing may follow.
    Failed(Failure),
}

/// One HTTP POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    pub kind: PostKind,
    /// Empty for [`PostKind::Empty`]: then send Content-Length 0 and neither
    /// SOAPAction nor Content-Type. Otherwise send `Content-Type: text/xml;
    /// charset="utf-8"` and an empty `SOAPAction:`.
    pub body: Vec<u8>,
}

/// What a POST carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostKind {
    Inform,
    /// A request of the CPE, by name.
    Request(&'static str),
    Empty,
    /// The response to a request of the ACS, by the method's name.
    Response(String),
    /// A fault in answer to a request of the ACS.
    Fault {
        method: String,
        code: u16,
    },
    /// SOAP's MustUnderstand fault in answer to a request of the ACS.
    NotUnderstood {
        header: String,
    },
}

/// What the caller answers a request of the ACS with.
#[derive(Debug)]
pub enum Answer {
    Response(CpeResponse),
    /// A GetParameterValuesResponse written by [`Session::values_writer`].
    Values(ValuesWriter),
    /// A GetParameterNamesResponse written by [`Session::names_writer`].
    Names(NamesWriter),
    Fault(Fault),
}

/// How a request of the CPE ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The matching response came.
    Delivered,
    /// GetRPCMethodsResponse: the methods of the ACS.
    Methods(Vec<String>),
    /// KickedResponse: where to send the user's browser.
    NextUrl(String),
    /// The ACS refused; not to be sent again in this session.
    Refused(AcsFault),
    /// GetRPCMethods found an empty reply.
    Unanswered,
    /// The request does not exist in the CWMP version of this session, or would be
    /// larger than the cap; it was not sent.
    NotSent(String),
}

/// Why a session failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No usable HTTP reply: the text of whoever does HTTP.
    Transport(String),
    /// An HTTP status that is neither 2xx nor a 500 with a SOAP fault.
    HttpStatus(u16),
    /// The reply could not be read.
    Unreadable(ReadError),
    /// The ACS refused the Inform.
    InformRefused(AcsFault),
    /// A fault in XML that cannot be read, where only a fault to Inform is possible.
    UnintelligibleFault,
    /// The reply is a message that has no place here.
    OutOfOrder { waiting_for: String, got: String },
    /// The `ID` of the reply is not that of the request.
    WrongId { sent: String, got: String },
    /// `UseCWMPVersion` names a version that was not offered.
    VersionNotOffered(String),
    /// The ACS reply has a header that must be understood and is not known.
    NotUnderstood(String),
    /// 8005 once more than [`Options::repeats`].
    TooManyRepeats { request: String },
    /// More POSTs than [`Options::max_posts`].
    TooManyPosts,
    /// Inform, or even a fault, does not fit [`Options::message_cap`].
    TooLarge { cap: usize },
    /// The caller called a function that this state does not allow: a bug of ours.
    Misused(&'static str),
}

impl Failure {
    /// The ACS cannot speak the version offered (fault 8006).
    pub fn suggests_older_version(&self) -> bool {
        matches!(self, Failure::InformRefused(f) if f.code == fault::ACS_VERSION_INCOMPATIBLE)
    }

    /// What an ACS too old to know of fault 8006 answers to an Inform in a namespace that it
    /// does not know: HTTP 400, a SOAP fault without a CWMP code, or fault 8000 or 8003. Each
    /// can mean something else, too.
    pub fn may_mean_older_version(&self) -> bool {
        match self {
            Failure::HttpStatus(status) => *status == 400,
            Failure::InformRefused(f) => matches!(
                f.code,
                0 | fault::ACS_METHOD_NOT_SUPPORTED | fault::ACS_INVALID_ARGUMENTS
            ),
            _ => false,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Transport(what) => f.write_str(what),
            Failure::HttpStatus(status) => write!(f, "the ACS answered with HTTP status {status}"),
            Failure::Unreadable(e) => write!(f, "the reply of the ACS is unusable: {e}"),
            Failure::InformRefused(fault) => write!(f, "Inform was refused: {fault}"),
            Failure::UnintelligibleFault => {
                f.write_str("the ACS answered with a fault in broken XML")
            }
            Failure::OutOfOrder { waiting_for, got } => {
                write!(f, "the ACS sent {got} where {waiting_for} was due")
            }
            Failure::WrongId { sent, got } => {
                write!(f, "the reply has the ID {got:?}, the request had {sent:?}")
            }
            Failure::VersionNotOffered(version) => {
                write!(
                    f,
                    "the ACS chose CWMP version {version:?}, which was not offered"
                )
            }
            Failure::NotUnderstood(header) => {
                write!(
                    f,
                    "the reply has the unknown header {header}, which must be understood"
                )
            }
            Failure::TooManyRepeats { request } => {
                write!(
                    f,
                    "the ACS asked for {request} again and again (fault 8005)"
                )
            }
            Failure::TooManyPosts => f.write_str("the session took too many exchanges"),
            Failure::TooLarge { cap } => {
                write!(f, "a message of ours would be larger than {cap} bytes")
            }
            Failure::Misused(what) => write!(f, "internal error: {what}"),
        }
    }
}
