//! From messages to envelopes, element by element as the CWMP schemas order them.

use super::Heading;
use super::write::{Array, Envelope, Padded, TooLarge};
use crate::cwmp::datetime::DateTime;
use crate::cwmp::fault::{self, Blame, Fault};
use crate::cwmp::message::{
    ApplyStatus, CpeRequest, CpeResponse, Inform, OperationResult, ParameterValue, QueuedTransfer,
    TransferFault, TransferState, TransferStatus, XsdType,
};
use crate::cwmp::version::CwmpVersion;

/// Entries that a transfer queue response may carry.
const MAX_TRANSFERS: usize = 16;

/// A GetParameterValuesResponse that values are pushed into one by one, so that many
/// values are never held twice. Made by
/// [`Session::values_writer`](crate::cwmp::session::Session::values_writer).
#[derive(Debug)]
pub struct ValuesWriter {
    envelope: Envelope,
    list: Array,
}

impl ValuesWriter {
    /// Starts a response.
    pub fn new(heading: &Heading) -> ValuesWriter {
        let mut envelope = Envelope::open_large(heading);
        envelope.body();
        envelope.start("cwmp:GetParameterValuesResponse");
        let list = begin_values(&mut envelope);
        ValuesWriter { envelope, list }
    }

    /// Adds one value. After an error the writer is of no further use: answer 9004. `name`
    /// is one of the data model: letters, digits, `.`, `-` and `_` (TR-106 3.1), which
    /// nothing has to be escaped of.
    pub fn push(&mut self, name: &str, ty: XsdType, value: &str) -> Result<(), TooLarge> {
        self.push_in("", name, ty, value)
    }

    /// The same where the name is in two parts: the path of the object, with a dot at its end,
    /// and the name in it.
    #[inline(always)]
    pub fn push_in(
        &mut self,
        object: &str,
        name: &str,
        ty: XsdType,
        value: &str,
    ) -> Result<(), TooLarge> {
        value_struct(
            &mut self.envelope,
            &mut self.list,
            [object, name],
            ty,
            value,
        );
        self.envelope.check()
    }

    /// How many values were pushed.
    pub fn count(&self) -> u32 {
        self.list.items()
    }

    /// Ends the response.
    pub fn finish(mut self) -> Result<Vec<u8>, TooLarge> {
        end_values(&mut self.envelope, self.list);
        self.envelope.end("cwmp:GetParameterValuesResponse");
        self.envelope.finish()
    }
}

/// A GetParameterNamesResponse that names are pushed into one by one, as values into a
/// [`ValuesWriter`]. Made by
/// [`Session::names_writer`](crate::cwmp::session::Session::names_writer).
#[derive(Debug)]
pub struct NamesWriter {
    envelope: Envelope,
    list: Array,
}

impl NamesWriter {
    /// Starts a response.
    pub fn new(heading: &Heading) -> NamesWriter {
        let mut envelope = Envelope::open_large(heading);
        envelope.body();
        envelope.start("cwmp:GetParameterNamesResponse");
        let list = begin_names(&mut envelope);
        NamesWriter { envelope, list }
    }

    /// Adds the name of a parameter, in two parts as [`ValuesWriter::push_in`] takes it, or of
    /// an object, whose second part is empty. After an error the writer is of no further use:
    /// answer 9004.
    #[inline(always)]
    pub fn push(&mut self, object: &str, name: &str, writable: bool) -> Result<(), TooLarge> {
        name_struct(&mut self.envelope, &mut self.list, [object, name], writable);
        self.envelope.check()
    }

    /// Ends the response.
    pub fn finish(mut self) -> Result<Vec<u8>, TooLarge> {
        end_names(&mut self.envelope, self.list);
        self.envelope.end("cwmp:GetParameterNamesResponse");
        self.envelope.finish()
    }
}

/// What begins a name of a list.
const NAME: &str = "<ParameterInfoStruct><Name>";
/// What begins a value of a list.
const VALUE: &str = "<ParameterValueStruct><Name>";

/// Begins a list of names, its first one too.
fn begin_names(e: &mut Envelope) -> Array {
    let list = e.array("ParameterList", "cwmp:ParameterInfoStruct");
    e.raw(NAME);
    list
}

/// Writes one name and, ahead of the next one, what begins it: the pieces of markup between
/// two texts go out as one. [`end_names`] takes the last back.
#[inline(always)]
fn name_struct(e: &mut Envelope, list: &mut Array, [object, name]: [&str; 2], writable: bool) {
    e.count(list);
    let after = match writable {
        true => "</Name><Writable>1</Writable></ParameterInfoStruct><ParameterInfoStruct><Name>",
        false => "</Name><Writable>0</Writable></ParameterInfoStruct><ParameterInfoStruct><Name>",
    };
    e.put([object, name, after]);
}

/// Ends a list of names.
fn end_names(e: &mut Envelope, list: Array) {
    e.take_back(NAME);
    e.end_array(list);
}

/// Begins a list of values, its first one too.
fn begin_values(e: &mut Envelope) -> Array {
    let list = e.array("ParameterList", "cwmp:ParameterValueStruct");
    e.raw(VALUE);
    list
}

/// Writes one value, and what begins the next one, as [`name_struct`] does.
#[inline(always)]
fn value_struct(
    e: &mut Envelope,
    list: &mut Array,
    [object, name]: [&str; 2],
    ty: XsdType,
    value: &str,
) {
    const AFTER: &str = "</Value></ParameterValueStruct><ParameterValueStruct><Name>";
    e.count(list);
    e.put_around([object, name], between(ty), value, AFTER);
}

/// What stands between a name and its value of this type.
fn between(ty: XsdType) -> &'static Padded {
    match ty {
        XsdType::String => &const { Padded::new("</Name><Value xsi:type=\"xsd:string\">") },
        XsdType::Int => &const { Padded::new("</Name><Value xsi:type=\"xsd:int\">") },
        XsdType::UnsignedInt => {
            &const { Padded::new("</Name><Value xsi:type=\"xsd:unsignedInt\">") }
        }
        XsdType::Long => &const { Padded::new("</Name><Value xsi:type=\"xsd:long\">") },
        XsdType::UnsignedLong => {
            &const { Padded::new("</Name><Value xsi:type=\"xsd:unsignedLong\">") }
        }
        XsdType::Boolean => &const { Padded::new("</Name><Value xsi:type=\"xsd:boolean\">") },
        XsdType::DateTime => &const { Padded::new("</Name><Value xsi:type=\"xsd:dateTime\">") },
        XsdType::Base64 => &const { Padded::new("</Name><Value xsi:type=\"xsd:base64Binary\">") },
        XsdType::HexBinary => &const { Padded::new("</Name><Value xsi:type=\"xsd:hexBinary\">") },
        XsdType::Decimal => &const { Padded::new("</Name><Value xsi:type=\"xsd:decimal\">") },
    }
}

/// Ends a list of values.
fn end_values(e: &mut Envelope, list: Array) {
    e.take_back(VALUE);
    e.end_array(list);
}

fn value_list(e: &mut Envelope, values: &[ParameterValue]) {
    let mut list = begin_values(e);
    for v in values {
        if e.check().is_err() {
            break;
        }
        // The few that an Inform carries.
        value_struct(e, &mut list, ["", &v.name], v.ty, &v.value);
    }
    end_values(e, list);
}

/// Writes an Inform; `session_timeout` (seconds) is sent from CWMP 1.3 on, the list of
/// versions from 1.4 on.
pub fn write_inform(
    heading: &Heading,
    inform: &Inform,
    session_timeout: Option<u32>,
) -> Result<Vec<u8>, TooLarge> {
    let mut e = Envelope::open(heading);
    if let Some(seconds) = session_timeout.filter(|_| heading.version >= CwmpVersion::V1_3) {
        e.optional_header("SessionTimeout", &seconds.to_string());
    }
    if heading.version >= CwmpVersion::V1_4 {
        e.optional_header("SupportedCWMPVersions", &heading.version.supported_list());
    }
    e.body();
    e.start("cwmp:Inform");
    e.start("DeviceId");
    e.clipped("Manufacturer", &inform.device.manufacturer, 64);
    e.element("OUI", &inform.device.oui);
    e.clipped("ProductClass", &inform.device.product_class, 64);
    e.clipped("SerialNumber", &inform.device.serial_number, 64);
    e.end("DeviceId");
    let mut events = e.array("Event", "cwmp:EventStruct");
    for event in &inform.events {
        e.count(&mut events);
        e.start("EventStruct");
        e.element("EventCode", event.code.text());
        e.clipped("CommandKey", &event.command_key, 32);
        e.end("EventStruct");
    }
    e.end_array(events);
    e.number("MaxEnvelopes", 1);
    e.number("CurrentTime", inform.current_time);
    e.number("RetryCount", inform.retry_count);
    value_list(&mut e, &inform.parameters);
    e.end("cwmp:Inform");
    e.finish()
}

/// Writes a request of the CPE other than Inform.
pub fn write_cpe_request(heading: &Heading, request: &CpeRequest) -> Result<Vec<u8>, TooLarge> {
    let mut e = Envelope::open(heading);
    e.body();
    let tag = format!("cwmp:{}", request.name());
    e.start(&tag);
    match request {
        CpeRequest::GetRpcMethods => {}
        CpeRequest::TransferComplete(t) => {
            e.clipped("CommandKey", &t.command_key, 32);
            transfer_fault(&mut e, &t.fault, t.upload);
            times(&mut e, t.start, t.complete);
        }
        CpeRequest::AutonomousTransferComplete(t) => {
            e.clipped("AnnounceURL", &t.announce_url, 1024);
            e.clipped("TransferURL", &t.transfer_url, 1024);
            e.boolean("IsDownload", t.is_download);
            e.clipped("FileType", &t.file_type, 64);
            e.number("FileSize", t.file_size);
            e.clipped("TargetFileName", &t.target_file_name, 256);
            transfer_fault(&mut e, &t.fault, !t.is_download);
            times(&mut e, t.start, t.complete);
        }
        CpeRequest::DuStateChangeComplete {
            results,
            command_key,
        } => {
            for result in results {
                e.start("Results");
                operation_result(&mut e, result);
                e.end("Results");
            }
            e.clipped("CommandKey", command_key, 32);
        }
        CpeRequest::AutonomousDuStateChangeComplete(results) => {
            for (performed, result) in results {
                e.start("Results");
                operation_result(&mut e, result);
                e.element("OperationPerformed", performed.name());
                e.end("Results");
            }
        }
        CpeRequest::RequestDownload(r) => {
            e.clipped("FileType", &r.file_type, 64);
            let mut list = e.array("FileTypeArg", "cwmp:ArgStruct");
            for (name, value) in r.arguments.iter().take(16) {
                e.count(&mut list);
                e.start("ArgStruct");
                e.clipped("Name", name, 64);
                e.clipped("Value", value, 256);
                e.end("ArgStruct");
            }
            e.end_array(list);
        }
        CpeRequest::Kicked {
            command,
            referer,
            arg,
            next,
        } => {
            e.clipped("Command", command, 32);
            e.clipped("Referer", referer, 64);
            e.clipped("Arg", arg, 256);
            e.clipped("Next", next, 1024);
        }
    }
    e.end(&tag);
    e.finish()
}

fn transfer_fault(e: &mut Envelope, fault: &TransferFault, upload: bool) {
    let code = match fault.code {
        0 => 0,
        // 9013 answers the request itself and has no place here.
        9013 if upload => fault::UPLOAD_FAILURE,
        9013 => fault::DOWNLOAD_FAILURE,
        code => match fault::for_version(code, e.version, upload) {
            known @ (9001 | 9010..=9020) => known,
            vendor @ 9800..=9899 if e.version >= CwmpVersion::V1_1 => vendor,
            _ => fault::INTERNAL_ERROR,
        },
    };
    e.start("FaultStruct");
    e.number("FaultCode", code);
    e.clipped("FaultString", &fault.text, 256);
    e.end("FaultStruct");
}

fn operation_result(e: &mut Envelope, r: &OperationResult) {
    e.element("UUID", &r.uuid);
    e.element("DeploymentUnitRef", &r.deployment_unit);
    e.clipped("Version", &r.version, 32);
    e.element("CurrentState", r.state.name());
    e.boolean("Resolved", r.resolved);
    e.element("ExecutionUnitRefList", &r.execution_units);
    times(e, r.start, r.complete);
    let code = match r.fault.code {
        code @ (0 | 9001 | 9003 | 9012 | 9013 | 9015..=9018 | 9022..=9032 | 9800..=9899) => code,
        _ => fault::REQUEST_DENIED,
    };
    e.start("Fault");
    e.number("FaultCode", code);
    e.element("FaultString", &r.fault.text);
    e.end("Fault");
}

fn times(e: &mut Envelope, start: DateTime, complete: DateTime) {
    e.number("StartTime", start);
    e.number("CompleteTime", complete);
}

/// Writes a response of the CPE.
pub fn write_cpe_response(heading: &Heading, response: &CpeResponse) -> Result<Vec<u8>, TooLarge> {
    let mut e = Envelope::open(heading);
    e.body();
    let tag = format!("cwmp:{}Response", response.method().name());
    e.start(&tag);
    match response {
        CpeResponse::GetRpcMethods(methods) => {
            let mut list = e.array("MethodList", "xsd:string");
            for method in methods {
                e.count(&mut list);
                e.clipped("string", method, 64);
            }
            e.end_array(list);
        }
        CpeResponse::SetParameterValues(applied) | CpeResponse::DeleteObject(applied) => {
            status(&mut e, *applied);
        }
        CpeResponse::GetParameterValues(values) => value_list(&mut e, values),
        CpeResponse::GetParameterNames(infos) => {
            let mut list = begin_names(&mut e);
            for info in infos {
                if e.check().is_err() {
                    break;
                }
                name_struct(&mut e, &mut list, ["", &info.name], info.writable);
            }
            end_names(&mut e, list);
        }
        CpeResponse::GetParameterAttributes(attributes) => {
            let mut list = e.array("ParameterList", "cwmp:ParameterAttributeStruct");
            for a in attributes {
                e.count(&mut list);
                e.start("ParameterAttributeStruct");
                e.element("Name", &a.name);
                e.number("Notification", notification(a.notification, e.version));
                let mut access = e.array("AccessList", "xsd:string");
                for entry in &a.access_list {
                    e.count(&mut access);
                    e.element("string", entry);
                }
                e.end_array(access);
                e.end("ParameterAttributeStruct");
            }
            e.end_array(list);
        }
        CpeResponse::AddObject {
            instance,
            status: applied,
        } => {
            e.number("InstanceNumber", instance);
            status(&mut e, *applied);
        }
        CpeResponse::Download(done) | CpeResponse::Upload(done) => match *done {
            TransferStatus::Done { start, complete } => {
                e.number("Status", 0);
                times(&mut e, start, complete);
            }
            TransferStatus::Later => {
                e.number("Status", 1);
                times(&mut e, DateTime::Unknown, DateTime::Unknown);
            }
        },
        CpeResponse::GetQueuedTransfers(queue) => {
            let mut list = e.array("TransferList", "cwmp:QueuedTransferStruct");
            for t in queue.iter().take(MAX_TRANSFERS) {
                e.count(&mut list);
                e.start("QueuedTransferStruct");
                queued(&mut e, t);
                e.end("QueuedTransferStruct");
            }
            e.end_array(list);
        }
        CpeResponse::GetAllQueuedTransfers(queue) => {
            let mut list = e.array("TransferList", "cwmp:AllQueuedTransferStruct");
            for t in queue.iter().take(MAX_TRANSFERS) {
                e.count(&mut list);
                e.start("AllQueuedTransferStruct");
                queued(&mut e, t);
                e.boolean("IsDownload", t.is_download);
                e.clipped("FileType", &t.file_type, 64);
                e.number("FileSize", t.file_size);
                e.clipped("TargetFileName", &t.target_file_name, 256);
                e.end("AllQueuedTransferStruct");
            }
            e.end_array(list);
        }
        CpeResponse::SetParameterAttributes
        | CpeResponse::Reboot
        | CpeResponse::FactoryReset
        | CpeResponse::ScheduleInform
        | CpeResponse::ScheduleDownload
        | CpeResponse::CancelTransfer
        | CpeResponse::ChangeDuState => {}
    }
    e.end(&tag);
    e.finish()
}

/// The level as the version knows it: before 1.2 there is no lightweight part.
fn notification(level: u8, version: CwmpVersion) -> u8 {
    match level {
        level if version >= CwmpVersion::V1_2 => level,
        3 | 5 => 0,
        4 | 6 => 1,
        level => level,
    }
}

fn status(e: &mut Envelope, applied: ApplyStatus) {
    e.number(
        "Status",
        match applied {
            ApplyStatus::Applied => 0,
            ApplyStatus::Committed => 1,
        },
    );
}

fn queued(e: &mut Envelope, t: &QueuedTransfer) {
    e.clipped("CommandKey", &t.command_key, 32);
    e.number(
        "State",
        match t.state {
            TransferState::NotStarted => 1,
            TransferState::InProgress => 2,
            TransferState::Completed => 3,
        },
    );
}

/// Writes a fault of the CPE, its codes mapped to what the version knows. Faults of
/// single parameters go out only with 9003; 9004 among them becomes 9002.
pub fn write_cpe_fault(heading: &Heading, fault: &Fault) -> Result<Vec<u8>, TooLarge> {
    let mut e = Envelope::open(heading);
    e.body();
    let code = fault::for_version(fault.code, e.version, false);
    let row = fault::row_of(code);
    e.start("soapenv:Fault");
    e.element("faultcode", row.map_or(Blame::Server, |r| r.blame).text());
    e.element("faultstring", "CWMP fault");
    e.raw("<detail><cwmp:Fault>");
    e.number("FaultCode", code);
    e.element("FaultString", text_or(&fault.text, code));
    if code == fault::INVALID_ARGUMENTS {
        for p in &fault.parameters {
            let code = match fault::for_version(p.code, e.version, false) {
                fault::RESOURCES_EXCEEDED => fault::INTERNAL_ERROR,
                code => code,
            };
            e.start("SetParameterValuesFault");
            e.element("ParameterName", &p.name);
            e.number("FaultCode", code);
            e.element("FaultString", text_or(&p.text, code));
            e.end("SetParameterValuesFault");
        }
    }
    e.raw("</cwmp:Fault></detail>");
    e.end("soapenv:Fault");
    e.finish()
}

fn text_or(text: &str, code: u16) -> &str {
    if text.is_empty() {
        fault::row_of(code).map_or("Vendor fault", |r| r.text)
    } else {
        text
    }
}

/// Writes SOAP's MustUnderstand fault for a header that this CPE does not know. It has
/// no detail: SOAP 1.1 keeps that for errors in the Body.
pub fn write_not_understood(heading: &Heading, header: &str) -> Result<Vec<u8>, TooLarge> {
    let mut e = Envelope::open(heading);
    e.body();
    e.start("soapenv:Fault");
    e.element("faultcode", "soapenv:MustUnderstand");
    e.element("faultstring", &format!("Header not understood: {header}"));
    e.end("soapenv:Fault");
    e.finish()
}
