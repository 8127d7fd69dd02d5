//! What the CPE may write: the shapes of the CWMP schemas, checked without them.
//!
//! Element names, their order, counts, sizes and types; SOAP arrays count what they hold.

use roxmltree::{Document, Node};

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const ENC: &str = "http://schemas.xmlsoap.org/soap/encoding/";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// One message of the CPE.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The element in the Body: `GetParameterValuesResponse`, `Fault`.
    pub name: String,
    /// cwmp:ID.
    pub id: Option<String>,
    /// Name, type and value of each ParameterValueStruct.
    pub values: Vec<(String, String, String)>,
    /// Name and Writable of each ParameterInfoStruct.
    pub infos: Vec<(String, bool)>,
    /// Name, level and list of each ParameterAttributeStruct.
    pub attributes: Vec<(String, u8, Vec<String>)>,
    /// Code and key of each event.
    pub events: Vec<(String, String)>,
    pub methods: Vec<String>,
    /// The keys of the transfers listed.
    pub queued: Vec<String>,
    pub retry_count: u32,
    pub instance: u32,
    /// The code; 0 where the message is no CWMP fault.
    pub fault: u16,
    /// Name and code of each parameter that is at fault.
    pub parameter_faults: Vec<(String, u16)>,
}

/// N of the `cwmp-1-N` namespace that a message declares.
pub fn minor(body: &[u8]) -> u8 {
    let text = String::from_utf8_lossy(body);
    let after = text.split("urn:dslforum-org:cwmp-1-").nth(1);
    let digit = after.and_then(|t| t.chars().next()?.to_digit(3));
    digit.expect("a namespace of CWMP") as u8
}

/// Reads a message, which must be one that the schema of this minor version allows.
pub fn read(body: &[u8], minor: u8) -> Answer {
    let text = std::str::from_utf8(body).expect("what the CPE writes is UTF-8");
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(e) => panic!("what the CPE wrote is not XML: {e}\n{text}"),
    };
    match message(&document, minor) {
        Ok(answer) => answer,
        Err(what) => panic!("not as the schema has it: {what}\n{text}"),
    }
}

type Checked<T> = Result<T, String>;

fn message(document: &Document<'_>, minor: u8) -> Checked<Answer> {
    let cwmp = format!("urn:dslforum-org:cwmp-1-{minor}");
    let root = document.root_element();
    is(root, "Envelope", Some(SOAP))?;
    let [header, body] = parts(root, ["Header", "Body"])?;
    is(header, "Header", Some(SOAP))?;
    is(body, "Body", Some(SOAP))?;
    let mut answer = Answer::default();
    for field in elements(header) {
        let name = field.tag_name().name();
        is(field, name, Some(&cwmp))?;
        let must = field.attribute((SOAP, "mustUnderstand"));
        match name {
            "ID" if answer.id.is_none() && must == Some("1") => answer.id = Some(text(field)?),
            "SessionTimeout" | "SupportedCWMPVersions" if must == Some("0") && minor == 2 => {}
            _ => return Err(format!("header {name}, mustUnderstand {must:?}")),
        }
    }
    let mut inside = elements(body);
    let (Some(content), None) = (inside.next(), inside.next()) else {
        return Err("the Body does not hold one message".to_owned());
    };
    answer.name = content.tag_name().name().to_owned();
    if answer.name == "Fault" {
        is(content, "Fault", Some(SOAP))?;
        fault(content, &cwmp, minor, &mut answer)?;
    } else {
        is(content, &answer.name.clone(), Some(&cwmp))?;
        arguments(content, &mut answer)?;
    }
    Ok(answer)
}

fn arguments(content: Node<'_, '_>, answer: &mut Answer) -> Checked<()> {
    match answer.name.as_str() {
        "Inform" => inform(content, answer)?,
        "GetRPCMethodsResponse" => {
            let [list] = parts(content, ["MethodList"])?;
            for method in array(list, "xsd:string", "string")? {
                answer.methods.push(sized(method, 64)?);
            }
        }
        "SetParameterValuesResponse" | "DeleteObjectResponse" => {
            let [status] = parts(content, ["Status"])?;
            one_of(status, &["0", "1"])?;
        }
        "AddObjectResponse" => {
            let [instance, status] = parts(content, ["InstanceNumber", "Status"])?;
            answer.instance = number(instance)?;
            if answer.instance == 0 {
                return Err("instance 0".to_owned());
            }
            one_of(status, &["0", "1"])?;
        }
        "GetParameterValuesResponse" => {
            let [list] = parts(content, ["ParameterList"])?;
            answer.values = values(list)?;
        }
        "GetParameterNamesResponse" => {
            let [list] = parts(content, ["ParameterList"])?;
            for item in array(list, "cwmp:ParameterInfoStruct", "ParameterInfoStruct")? {
                let [name, writable] = parts(item, ["Name", "Writable"])?;
                let writable = one_of(writable, &["0", "1", "false", "true"])?;
                let writable = writable == "1" || writable == "true";
                answer.infos.push((sized(name, 256)?, writable));
            }
        }
        "GetParameterAttributesResponse" => {
            let [list] = parts(content, ["ParameterList"])?;
            let items = array(
                list,
                "cwmp:ParameterAttributeStruct",
                "ParameterAttributeStruct",
            )?;
            for item in items {
                let [name, level, access] = parts(item, ["Name", "Notification", "AccessList"])?;
                let mut entities = Vec::new();
                for entity in array(access, "xsd:string", "string")? {
                    entities.push(sized(entity, 64)?);
                }
                let level = number(level)?;
                if level > 2 {
                    return Err(format!("notification {level}"));
                }
                answer
                    .attributes
                    .push((sized(name, 256)?, level as u8, entities));
            }
        }
        "DownloadResponse" | "UploadResponse" => {
            let [status, start, complete] =
                parts(content, ["Status", "StartTime", "CompleteTime"])?;
            one_of(status, &["1"])?;
            for time in [start, complete] {
                is_value("dateTime", &text(time)?)?;
            }
        }
        "GetQueuedTransfersResponse" => {
            let [list] = parts(content, ["TransferList"])?;
            for item in array(list, "cwmp:QueuedTransferStruct", "QueuedTransferStruct")? {
                let [key, state] = parts(item, ["CommandKey", "State"])?;
                one_of(state, &["1"])?;
                answer.queued.push(sized(key, 32)?);
            }
        }
        "GetAllQueuedTransfersResponse" => {
            let [list] = parts(content, ["TransferList"])?;
            let of = "cwmp:AllQueuedTransferStruct";
            for item in array(list, of, "AllQueuedTransferStruct")? {
                let [key, state, download, file_type, size, name] = parts(
                    item,
                    [
                        "CommandKey",
                        "State",
                        "IsDownload",
                        "FileType",
                        "FileSize",
                        "TargetFileName",
                    ],
                )?;
                one_of(state, &["1"])?;
                one_of(download, &["0", "1", "false", "true"])?;
                sized(file_type, 64)?;
                number(size)?;
                sized(name, 256)?;
                answer.queued.push(sized(key, 32)?);
            }
        }
        "GetRPCMethods"
        | "SetParameterAttributesResponse"
        | "RebootResponse"
        | "FactoryResetResponse"
        | "ScheduleDownloadResponse"
        | "CancelTransferResponse"
        | "ScheduleInformResponse" => {
            let [] = parts(content, [])?;
        }
        other => return Err(format!("{other} is nothing this CPE sends")),
    }
    Ok(())
}

fn inform(content: Node<'_, '_>, answer: &mut Answer) -> Checked<()> {
    let [device, events, envelopes, time, retry, list] = parts(
        content,
        [
            "DeviceId",
            "Event",
            "MaxEnvelopes",
            "CurrentTime",
            "RetryCount",
            "ParameterList",
        ],
    )?;
    let [manufacturer, oui, class, serial] = parts(
        device,
        ["Manufacturer", "OUI", "ProductClass", "SerialNumber"],
    )?;
    for field in [manufacturer, class, serial] {
        sized(field, 64)?;
    }
    let oui = text(oui)?;
    if oui.len() != 6 || !oui.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F')) {
        return Err(format!("OUI {oui:?}"));
    }
    for event in array(events, "cwmp:EventStruct", "EventStruct")? {
        let [code, key] = parts(event, ["EventCode", "CommandKey"])?;
        answer.events.push((sized(code, 64)?, sized(key, 32)?));
    }
    if answer.events.len() > 64 {
        return Err(format!("{} events", answer.events.len()));
    }
    one_of(envelopes, &["1"])?;
    is_value("dateTime", &text(time)?)?;
    answer.retry_count = number(retry)?;
    answer.values = values(list)?;
    Ok(())
}

fn fault(content: Node<'_, '_>, cwmp: &str, minor: u8, answer: &mut Answer) -> Checked<()> {
    if elements(content).count() == 2 {
        let [code, what] = parts(content, ["faultcode", "faultstring"])?;
        if !text(code)?.ends_with(":MustUnderstand") {
            return Err("a fault without detail".to_owned());
        }
        text(what)?;
        answer.name = "MustUnderstand".to_owned();
        return Ok(());
    }
    let [code, what, detail] = parts(content, ["faultcode", "faultstring", "detail"])?;
    let blame = one_of(code, &["Client", "Server"])?;
    one_of(what, &["CWMP fault"])?;
    let [inner] = parts(detail, ["Fault"])?;
    is(inner, "Fault", Some(cwmp))?;
    let mut fields = elements(inner);
    let (Some(code), Some(what)) = (fields.next(), fields.next()) else {
        return Err("a fault without code and text".to_owned());
    };
    is(code, "FaultCode", None)?;
    is(what, "FaultString", None)?;
    if text(what)?.is_empty() {
        return Err("a fault without a text".to_owned());
    }
    answer.fault = fault_code(code)?;
    let newest = [9013, 9019, 9032][usize::from(minor.min(2))];
    if !(9000..=newest).contains(&answer.fault) {
        return Err(format!("fault {} in cwmp-1-{minor}", answer.fault));
    }
    let client = matches!(answer.fault, 9003 | 9005..=9008);
    if client != (blame == "Client") {
        return Err(format!("fault {} is blamed on {blame}", answer.fault));
    }
    for field in fields {
        is(field, "SetParameterValuesFault", None)?;
        let [name, code, what] = parts(field, ["ParameterName", "FaultCode", "FaultString"])?;
        let code = fault_code(code)?;
        if answer.fault != 9003 || !matches!(code, 9001 | 9002 | 9005..=9008) {
            return Err(format!("parameter fault {code} within {}", answer.fault));
        }
        text(what)?;
        answer.parameter_faults.push((sized(name, 256)?, code));
    }
    Ok(())
}

fn values(list: Node<'_, '_>) -> Checked<Vec<(String, String, String)>> {
    let mut out = Vec::new();
    for item in array(list, "cwmp:ParameterValueStruct", "ParameterValueStruct")? {
        let [name, value] = parts(item, ["Name", "Value"])?;
        let ty = value.attribute((XSI, "type")).unwrap_or_default();
        let Some(ty) = ty.strip_prefix("xsd:") else {
            return Err(format!("xsi:type {ty:?}"));
        };
        let value = text(value)?;
        is_value(ty, &value)?;
        out.push((sized(name, 256)?, ty.to_owned(), value));
    }
    Ok(out)
}

/// Whether a text is one of this XML Schema type.
fn is_value(ty: &str, text: &str) -> Checked<()> {
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let good = match ty {
        "string" => true,
        "int" => text.parse::<i32>().is_ok(),
        "unsignedInt" => text.parse::<u32>().is_ok(),
        "long" => text.parse::<i64>().is_ok(),
        "unsignedLong" => text.parse::<u64>().is_ok(),
        "boolean" => matches!(text, "0" | "1" | "true" | "false"),
        "decimal" => {
            let plain = text.strip_prefix('-').unwrap_or(text);
            let (whole, part) = plain.split_once('.').unwrap_or((plain, "0"));
            digits(whole) && digits(part)
        }
        "hexBinary" => text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit()),
        "base64Binary" => {
            let inner = text.trim_end_matches('=');
            text.len().is_multiple_of(4)
                && text.len() - inner.len() <= 2
                && inner
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
        }
        "dateTime" => {
            let shape: String = text
                .chars()
                .map(|c| if c.is_ascii_digit() { '0' } else { c })
                .collect();
            let (day, rest) = shape.split_at(shape.find('T').unwrap_or(0));
            let time = rest.get(..9).unwrap_or_default();
            let zone = rest
                .get(9..)
                .unwrap_or_default()
                .trim_start_matches(['.', '0']);
            day == "0000-00-00"
                && time == "T00:00:00"
                && (matches!(zone, "" | "Z")
                    || matches!(rest.get(9..), Some(z) if z.ends_with("+00:00") || z.ends_with("-00:00")))
        }
        _ => return Err(format!("type {ty}")),
    };
    match good {
        true => Ok(()),
        false => Err(format!("{text:?} is no {ty}")),
    }
}

fn elements<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

fn is(node: Node<'_, '_>, name: &str, namespace: Option<&str>) -> Checked<()> {
    let tag = node.tag_name();
    if tag.name() != name || tag.namespace() != namespace {
        return Err(format!("{tag:?} where {name} of {namespace:?} was due"));
    }
    Ok(())
}

/// Exactly these child elements, in this order, and no text between them.
fn parts<'a, 'i, const N: usize>(
    node: Node<'a, 'i>,
    names: [&str; N],
) -> Checked<[Node<'a, 'i>; N]> {
    let found: Vec<Node<'a, 'i>> = elements(node).collect();
    let told: Vec<&str> = found.iter().map(|n| n.tag_name().name()).collect();
    let stray = node
        .children()
        .any(|c| c.is_text() && !c.text().unwrap_or_default().trim().is_empty());
    if told != names || stray {
        return Err(format!(
            "{told:?} where {names:?} were due, other text: {stray}"
        ));
    }
    found.try_into().map_err(|_| "counted".to_owned())
}

/// The items of a SOAP array, which says how many there are.
fn array<'a, 'i>(node: Node<'a, 'i>, of: &str, item: &str) -> Checked<Vec<Node<'a, 'i>>> {
    let items: Vec<Node<'a, 'i>> = elements(node).collect();
    let due = format!("{of}[{}]", items.len());
    let said = node.attribute((ENC, "arrayType")).unwrap_or_default();
    if said != due {
        return Err(format!("arrayType {said:?} where {due:?} was due"));
    }
    for node in &items {
        is(*node, item, None)?;
    }
    Ok(items)
}

fn text(node: Node<'_, '_>) -> Checked<String> {
    if elements(node).next().is_some() {
        return Err(format!("elements in {:?}", node.tag_name()));
    }
    Ok(node.children().filter_map(|c| c.text()).collect())
}

fn sized(node: Node<'_, '_>, most: usize) -> Checked<String> {
    let text = text(node)?;
    match text.chars().count() <= most {
        true => Ok(text),
        false => Err(format!("{:?} is longer than {most}", node.tag_name())),
    }
}

fn number(node: Node<'_, '_>) -> Checked<u32> {
    let text = text(node)?;
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn fault_code(node: Node<'_, '_>) -> Checked<u16> {
    number(node)?
        .try_into()
        .map_err(|_| "a fault code past 65535".to_owned())
}

fn one_of(node: Node<'_, '_>, texts: &[&str]) -> Checked<String> {
    let found = text(node)?;
    match texts.contains(&found.as_str()) {
        true => Ok(found),
        false => Err(format!("{found:?} where one of {texts:?} was due")),
    }
}
