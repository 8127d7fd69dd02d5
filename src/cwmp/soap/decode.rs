//! From the element in the Body to a message, arguments checked.
//!
//! Arguments are found by local name and in any order; extra ones are ignored. One that
//! is missing, given twice, too long or of the wrong form gives fault 9003 with a text
//! that names it. Texts are taken exactly; numbers and booleans may have white space
//! around them.

use super::XSI_NS;
use super::read::{AcsBody, boolean, child, elements, shown, text_of};
use crate::cwmp::fault::Fault;
use crate::cwmp::message::{
    AcsRequest, AcsResponse, AttributeChange, Download, Method, Operation, ScheduleDownload,
    SetValue, TimeWindow, Upload, ValueType, XsdType,
};
use roxmltree::Node;

type Args<T> = Result<T, Fault>;

/// Sizes of the CWMP schemas, in characters.
const KEY: usize = 32;
const PATH: usize = 256;
const FILE_TYPE: usize = 64;
const URL: usize = 256;
const CREDENTIAL: usize = 256;
const FILE_NAME: usize = 256;
const LONG_URL: usize = 1024;
/// Not of the schemas, which give UUIDs a pattern: enough for any, and bounded.
const UUID: usize = 64;
const VERSION: usize = 32;

/// Reads a request or a response of the ACS.
pub(super) fn message(node: Node<'_, '_>) -> AcsBody {
    let name = node.tag_name().name();
    if let Some(method) = Method::of_name(name) {
        return match request(method, node) {
            Ok(request) => AcsBody::Request(request),
            Err(fault) => AcsBody::BadRequest {
                method: name.to_string(),
                fault,
            },
        };
    }
    if name.ends_with("Response") {
        return AcsBody::Response(response(name, node));
    }
    AcsBody::Request(AcsRequest::Unknown(shown(name)))
}

fn response(name: &str, node: Node<'_, '_>) -> AcsResponse {
    match name {
        "InformResponse" => AcsResponse::Inform,
        "GetRPCMethodsResponse" => AcsResponse::GetRpcMethods(
            child(node, "MethodList")
                .into_iter()
                .flat_map(elements)
                .map(text_of)
                .collect(),
        ),
        "TransferCompleteResponse" => AcsResponse::TransferComplete,
        "AutonomousTransferCompleteResponse" => AcsResponse::AutonomousTransferComplete,
        "DUStateChangeCompleteResponse" => AcsResponse::DuStateChangeComplete,
        "AutonomousDUStateChangeCompleteResponse" => AcsResponse::AutonomousDuStateChangeComplete,
        "RequestDownloadResponse" => AcsResponse::RequestDownload,
        "KickedResponse" => AcsResponse::Kicked {
            next_url: child(node, "NextURL").map(text_of).unwrap_or_default(),
        },
        _ => AcsResponse::Unknown(shown(name)),
    }
}

fn request(method: Method, node: Node<'_, '_>) -> Args<AcsRequest> {
    Ok(match method {
        Method::GetRpcMethods => AcsRequest::GetRpcMethods,
        Method::SetParameterValues => AcsRequest::SetParameterValues {
            list: items(node, "ParameterList", set_value)?,
            parameter_key: text(node, "ParameterKey", KEY)?,
        },
        Method::GetParameterValues => AcsRequest::GetParameterValues(names(node)?),
        Method::GetParameterNames => AcsRequest::GetParameterNames {
            path: text(node, "ParameterPath", PATH)?,
            next_level: flag(node, "NextLevel")?,
        },
        Method::SetParameterAttributes => AcsRequest::SetParameterAttributes(at_least_one(
            "ParameterList",
            items(node, "ParameterList", attribute_change)?,
        )?),
        Method::GetParameterAttributes => AcsRequest::GetParameterAttributes(names(node)?),
        Method::AddObject => AcsRequest::AddObject {
            object: text(node, "ObjectName", PATH)?,
            parameter_key: text(node, "ParameterKey", KEY)?,
        },
        Method::DeleteObject => AcsRequest::DeleteObject {
            object: text(node, "ObjectName", PATH)?,
            parameter_key: text(node, "ParameterKey", KEY)?,
        },
        Method::Reboot => AcsRequest::Reboot {
            command_key: text(node, "CommandKey", KEY)?,
        },
        Method::Download => AcsRequest::Download(Download {
            command_key: text(node, "CommandKey", KEY)?,
            file_type: text(node, "FileType", FILE_TYPE)?,
            url: text(node, "URL", URL)?,
            username: text(node, "Username", CREDENTIAL)?,
            password: text(node, "Password", CREDENTIAL)?,
            file_size: number(node, "FileSize")?,
            target_file_name: text(node, "TargetFileName", FILE_NAME)?,
            delay_seconds: number(node, "DelaySeconds")?,
            success_url: text(node, "SuccessURL", URL)?,
            failure_url: text(node, "FailureURL", URL)?,
        }),
        Method::Upload => AcsRequest::Upload(Upload {
            command_key: text(node, "CommandKey", KEY)?,
            file_type: text(node, "FileType", FILE_TYPE)?,
            url: text(node, "URL", URL)?,
            username: text(node, "Username", CREDENTIAL)?,
            password: text(node, "Password", CREDENTIAL)?,
            delay_seconds: number(node, "DelaySeconds")?,
        }),
        Method::FactoryReset => AcsRequest::FactoryReset,
        Method::ScheduleInform => AcsRequest::ScheduleInform {
            delay_seconds: match number(node, "DelaySeconds")? {
                0 => return Err(Fault::invalid_arguments("DelaySeconds must not be 0")),
                seconds => seconds,
            },
            command_key: text(node, "CommandKey", KEY)?,
        },
        Method::GetQueuedTransfers => AcsRequest::GetQueuedTransfers,
        Method::GetAllQueuedTransfers => AcsRequest::GetAllQueuedTransfers,
        Method::ScheduleDownload => AcsRequest::ScheduleDownload(ScheduleDownload {
            command_key: text(node, "CommandKey", KEY)?,
            file_type: text(node, "FileType", FILE_TYPE)?,
            url: text(node, "URL", URL)?,
            username: text(node, "Username", CREDENTIAL)?,
            password: text(node, "Password", CREDENTIAL)?,
            file_size: number(node, "FileSize")?,
            target_file_name: text(node, "TargetFileName", FILE_NAME)?,
            windows: windows(node)?,
        }),
        Method::CancelTransfer => AcsRequest::CancelTransfer {
            command_key: text(node, "CommandKey", KEY)?,
        },
        Method::ChangeDuState => AcsRequest::ChangeDuState {
            operations: at_least_one(
                "Operations",
                elements(node)
                    .filter(|n| n.tag_name().name() == "Operations")
                    .map(operation)
                    .collect::<Args<Vec<_>>>()?,
            )?,
            command_key: optional(node, "CommandKey", KEY)?,
        },
        Method::SetVouchers => AcsRequest::SetVouchers,
        Method::GetOptions => AcsRequest::GetOptions,
    })
}

fn set_value(item: Node<'_, '_>) -> Args<SetValue> {
    let name = text(item, "Name", PATH)?;
    let value = one(item, "Value").map_err(|f| in_item(f, &name))?;
    let ty = match value.attribute((XSI_NS, "type")) {
        None => ValueType::Absent,
        Some(qname) => {
            let qname = qname.trim();
            let local = qname.rsplit(':').next().unwrap_or(qname);
            XsdType::of_name(local)
                .map_or_else(|| ValueType::Unknown(shown(local)), ValueType::Known)
        }
    };
    let value = plain(value, "Value").map_err(|f| in_item(f, &name))?;
    Ok(SetValue { name, ty, value })
}

fn in_item(fault: Fault, name: &str) -> Fault {
    Fault::invalid_arguments(format!("{}, in the entry for {name}", fault.text))
}

fn attribute_change(item: Node<'_, '_>) -> Args<AttributeChange> {
    let name = text(item, "Name", PATH)?;
    // What is not to be changed is not read: ACSs leave it empty then.
    let notification = if flag(item, "NotificationChange")? {
        let level = text(item, "Notification", 16)?;
        match level.trim().parse::<u8>() {
            Ok(level @ 0..=6) => Some(level),
            _ => {
                return Err(Fault::invalid_arguments(format!(
                    "Notification of {name} is {level:?}, not 0 to 6"
                )));
            }
        }
    } else {
        None
    };
    let access_list = if flag(item, "AccessListChange")? {
        Some(items(item, "AccessList", |entry| {
            bounded(plain(entry, "AccessList")?, "AccessList", 64)
        })?)
    } else {
        None
    };
    Ok(AttributeChange {
        name,
        notification,
        access_list,
    })
}

fn windows(node: Node<'_, '_>) -> Args<Vec<TimeWindow>> {
    let list = items(node, "TimeWindowList", |w| {
        Ok(TimeWindow {
            start: number(w, "WindowStart")?,
            end: number(w, "WindowEnd")?,
            mode: text(w, "WindowMode", 64)?,
            user_message: text(w, "UserMessage", 256)?,
            max_retries: number(w, "MaxRetries")?,
        })
    })?;
    let in_order = match list.as_slice() {
        [only] => only.start < only.end,
        [first, second] => {
            first.start < first.end && first.end <= second.start && second.start < second.end
        }
        _ => {
            return Err(Fault::invalid_arguments(
                "TimeWindowList must hold 1 or 2 windows",
            ));
        }
    };
    if !in_order {
        return Err(Fault::invalid_arguments(
            "TimeWindowList: windows must end after they start, be in order and not overlap",
        ));
    }
    Ok(list)
}

fn operation(node: Node<'_, '_>) -> Args<Operation> {
    let kind = node
        .attribute((XSI_NS, "type"))
        .map(str::trim)
        .unwrap_or_default();
    match kind.rsplit(':').next().unwrap_or_default() {
        "InstallOpStruct" => Ok(Operation::Install {
            url: text(node, "URL", LONG_URL)?,
            uuid: optional(node, "UUID", UUID)?,
            username: optional(node, "Username", CREDENTIAL)?,
            password: optional(node, "Password", CREDENTIAL)?,
            execution_env: optional(node, "ExecutionEnvRef", PATH)?,
        }),
        "UpdateOpStruct" => Ok(Operation::Update {
            uuid: optional(node, "UUID", UUID)?,
            version: optional(node, "Version", VERSION)?,
            url: optional(node, "URL", LONG_URL)?,
            username: optional(node, "Username", CREDENTIAL)?,
            password: optional(node, "Password", CREDENTIAL)?,
        }),
        "UninstallOpStruct" => Ok(Operation::Uninstall {
            uuid: text(node, "UUID", UUID)?,
            version: optional(node, "Version", VERSION)?,
            execution_env: optional(node, "ExecutionEnvRef", PATH)?,
        }),
        other => Err(Fault::invalid_arguments(format!(
            "Operations: xsi:type {:?} is no operation",
            shown(other)
        ))),
    }
}

fn names(node: Node<'_, '_>) -> Args<Vec<String>> {
    at_least_one(
        "ParameterNames",
        items(node, "ParameterNames", |n| {
            bounded(plain(n, "ParameterNames")?, "ParameterNames", PATH)
        })?,
    )
}

fn at_least_one<T>(name: &str, list: Vec<T>) -> Args<Vec<T>> {
    if list.is_empty() {
        return Err(Fault::invalid_arguments(format!("{name} is empty")));
    }
    Ok(list)
}

/// The items of an array. Its `arrayType` is not asked: the elements themselves count.
fn items<'a, 'i, T>(
    node: Node<'a, 'i>,
    name: &str,
    read: impl Fn(Node<'a, 'i>) -> Args<T>,
) -> Args<Vec<T>> {
    elements(one(node, name)?).map(read).collect()
}

/// The one child element of that name.
fn one<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Args<Node<'a, 'i>> {
    let mut found = elements(node).filter(|c| c.tag_name().name() == name);
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Fault::invalid_arguments(format!("{name} is missing"))),
        (Some(_), Some(_)) => Err(Fault::invalid_arguments(format!("{name} is given twice"))),
    }
}

/// The text of an element that must not hold other elements.
fn plain(node: Node<'_, '_>, name: &str) -> Args<String> {
    if elements(node).next().is_some() {
        return Err(Fault::invalid_arguments(format!(
            "{name} holds elements instead of text"
        )));
    }
    Ok(text_of(node))
}

fn bounded(text: String, name: &str, max: usize) -> Args<String> {
    if text.len() > max && text.chars().count() > max {
        return Err(Fault::invalid_arguments(format!(
            "{name} is longer than {max} characters"
        )));
    }
    Ok(text)
}

fn text(node: Node<'_, '_>, name: &str, max: usize) -> Args<String> {
    bounded(plain(one(node, name)?, name)?, name, max)
}

/// An argument that may be absent: then "".
fn optional(node: Node<'_, '_>, name: &str, max: usize) -> Args<String> {
    if child(node, name).is_none() {
        return Ok(String::new());
    }
    text(node, name, max)
}

fn flag(node: Node<'_, '_>, name: &str) -> Args<bool> {
    boolean(&plain(one(node, name)?, name)?)
        .ok_or_else(|| Fault::invalid_arguments(format!("{name} is not a boolean")))
}

fn number<T: std::str::FromStr>(node: Node<'_, '_>, name: &str) -> Args<T> {
    plain(one(node, name)?, name)?
        .trim_matches([' ', '\t', '\r', '\n'])
        .parse()
        .map_err(|_| Fault::invalid_arguments(format!("{name} is not a number in its range")))
}
