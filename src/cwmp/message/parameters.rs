//! Parameter names, values and attributes as the RPCs carry them.

use std::fmt;

/// The ten data types of CWMP parameters (TR-106 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum XsdType {
    String,
    Int,
    UnsignedInt,
    Long,
    UnsignedLong,
    Boolean,
    DateTime,
    Base64,
    HexBinary,
    Decimal,
}

impl XsdType {
    /// All ten, in the order of TR-106.
    pub const ALL: [XsdType; 10] = [
        XsdType::String,
        XsdType::Int,
        XsdType::UnsignedInt,
        XsdType::Long,
        XsdType::UnsignedLong,
        XsdType::Boolean,
        XsdType::DateTime,
        XsdType::Base64,
        XsdType::HexBinary,
        XsdType::Decimal,
    ];

    /// The name as CWMP and TR-106 write it: `base64`.
    pub fn name(self) -> &'static str {
        match self {
            XsdType::String => "string",
            XsdType::Int => "int",
            XsdType::UnsignedInt => "unsignedInt",
            XsdType::Long => "long",
            XsdType::UnsignedLong => "unsignedLong",
            XsdType::Boolean => "boolean",
            XsdType::DateTime => "dateTime",
            XsdType::Base64 => "base64",
            XsdType::HexBinary => "hexBinary",
            XsdType::Decimal => "decimal",
        }
    }

    /// The name in the XML Schema namespace, as `xsi:type` carries it: base64 is
    /// `base64Binary` there.
    pub fn schema_name(self) -> &'static str {
        match self {
            XsdType::Base64 => "base64Binary",
            other => other.name(),
        }
    }

    /// The type of that local name, in either spelling of base64.
    pub fn of_name(name: &str) -> Option<XsdType> {
        XsdType::ALL
            .into_iter()
            .find(|t| t.name() == name || t.schema_name() == name)
    }
}

/// A parameter with its value, as the CPE reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterValue {
    pub name: String,
    pub ty: XsdType,
    /// The canonical text of the value.
    pub value: String,
}

/// What the ACS said a value's type is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueType {
    /// No `xsi:type`: any type is accepted.
    Absent,
    Known(XsdType),
    /// A type that CWMP does not have: 9006 for this parameter.
    Unknown(String),
}

/// One ParameterValueStruct of SetParameterValues. Debug output leaves the value out:
/// it may be a password.
#[derive(Clone, PartialEq, Eq)]
pub struct SetValue {
    /// At most 256 characters.
    pub name: String,
    pub ty: ValueType,
    /// The text exactly as sent (after XML's own rules); never trimmed.
    pub value: String,
}

impl fmt::Debug for SetValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetValue")
            .field("name", &self.name)
            .field("ty", &self.ty)
            .finish_non_exhaustive()
    }
}

/// One ParameterInfoStruct of GetParameterNamesResponse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterInfo {
    /// Objects end in ".".
    pub name: String,
    /// Set allowed; for a table AddObject, for an instance DeleteObject allowed.
    pub writable: bool,
}

/// One SetParameterAttributesStruct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeChange {
    pub name: String,
    /// The level asked for (0 to 6); `None`: NotificationChange was false.
    pub notification: Option<u8>,
    /// The access list asked for; `None`: AccessListChange was false.
    pub access_list: Option<Vec<String>>,
}

/// One ParameterAttributeStruct of GetParameterAttributesResponse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterAttributes {
    pub name: String,
    /// 0 to 6; above 2 only in CWMP 1.2 namespaces (a lower session is told 0 to 2).
    pub notification: u8,
    pub access_list: Vec<String>,
}
