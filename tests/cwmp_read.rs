//! What an ACS may write and this CPE must read, in every form that XML allows.

mod cwmp_support;

use cwmp_agent::cwmp::fault::AcsFault;
use cwmp_agent::cwmp::message::{AcsRequest, AcsResponse, SetValue, ValueType, XsdType};
use cwmp_agent::cwmp::soap::{
    AcsBody, AcsEnvelope, AcsMessage, Limits, ReadError, read_acs_message,
};
use cwmp_agent::cwmp::version::CwmpVersion;
use cwmp_support::{NS10, NS11, NS12, envelope, id};

#[track_caller]
fn read(text: &str) -> Box<AcsEnvelope> {
    match read_acs_message(text.as_bytes(), &Limits::default()) {
        Ok(AcsMessage::Envelope(e)) => e,
        other => panic!("{other:?}\n{text}"),
    }
}

fn reboot(key: &str) -> AcsBody {
    AcsBody::Request(AcsRequest::Reboot {
        command_key: key.into(),
    })
}

#[track_caller]
fn set_values(list: &str) -> Vec<SetValue> {
    let body = format!("<cwmp:SetParameterValues>{list}<ParameterKey/></cwmp:SetParameterValues>");
    match read(&envelope(NS12, "", &body)).body {
        AcsBody::Request(AcsRequest::SetParameterValues { list, .. }) => list,
        other => panic!("{other:?}"),
    }
}

fn one_value(value: &str) -> String {
    format!(
        "<ParameterList soap-enc:arrayType=\"cwmp:ParameterValueStruct[1]\"><ParameterValueStruct>\
         <Name>Device.X</Name>{value}</ParameterValueStruct></ParameterList>"
    )
}

// T-SOP-003, T-SOP-004
#[test]
fn any_prefix_and_any_place_of_declaration_is_read() {
    let soap = "http://schemas.xmlsoap.org/soap/envelope/";
    for text in [
        // default namespace on the envelope, cwmp declared inside, argument unqualified
        format!(
            "<Envelope xmlns='{soap}'><Body><c:Reboot xmlns:c='{NS12}'><CommandKey xmlns=''>k</CommandKey></c:Reboot></Body></Envelope>"
        ),
        // default namespace on the method, arguments qualified with it
        format!(
            "<s:Envelope xmlns:s='{soap}'><s:Body><Reboot xmlns='{NS12}'><CommandKey>k</CommandKey></Reboot></s:Body></s:Envelope>"
        ),
        // odd prefixes, single quotes, white space inside tags
        format!(
            "<a.b-c_1:Envelope\n xmlns:a.b-c_1 = '{soap}' xmlns:\u{e9}='{NS12}' ><a.b-c_1:Header /><a.b-c_1:Body><\u{e9}:Reboot ><CommandKey >k</CommandKey ></\u{e9}:Reboot ></a.b-c_1:Body></a.b-c_1:Envelope>"
        ),
        // the same prefix bound anew
        format!(
            "<p:Envelope xmlns:p='{soap}'><p:Body><p:Reboot xmlns:p='{NS12}'><CommandKey>k</CommandKey></p:Reboot></p:Body></p:Envelope>"
        ),
    ] {
        assert_eq!(read(&text).body, reboot("k"), "{text}");
    }
}

#[test]
fn any_cwmp_namespace_is_read_and_its_version_known() {
    for (namespace, version) in [
        (NS10, CwmpVersion::V1_0),
        (NS11, CwmpVersion::V1_1),
        (NS12, CwmpVersion::V1_2),
        ("urn:dslforum-org:cwmp-1-3", CwmpVersion::V1_3),
        ("urn:dslforum-org:cwmp-1-4", CwmpVersion::V1_4),
        ("urn:dslforum-org:cwmp-1-9", CwmpVersion::V1_4),
    ] {
        let body = "<cwmp:Reboot><CommandKey>k</CommandKey></cwmp:Reboot>";
        let message = read(&envelope(namespace, &id("x"), body));
        assert_eq!(message.version, Some(version));
        assert_eq!(message.id.as_deref(), Some("x"));
        assert_eq!(message.body, reboot("k"));
    }
}

// T-SOP-005
#[test]
fn cdata_comments_and_references_give_the_exact_value() {
    for (xml, value) in [
        ("<Value><![CDATA[<a>&amp;]]></Value>", "<a>&amp;"),
        ("<Value>a<![CDATA[b]]>c<!-- no -->d</Value>", "abcd"),
        (
            "<Value>&#x20AC;&#8364;&lt;&gt;&amp;&quot;&apos;</Value>",
            "\u{20ac}\u{20ac}<>&\"'",
        ),
        ("<Value>  two  </Value>", "  two  "),
        ("<Value>\n\t\n</Value>", "\n\t\n"),
        ("<Value>a\r\nb&#13;\nc</Value>", "a\nb\r\nc"),
        (
            "<Value>$(reboot) `x` \\ 'q'</Value>",
            "$(reboot) `x` \\ 'q'",
        ),
        ("<Value/>", ""),
        ("<Value></Value>", ""),
        ("<Value xsi:nil='true'/>", ""),
        ("<Value><!-- only this --></Value>", ""),
        ("<Value><?pi data?>x</Value>", "x"),
    ] {
        assert_eq!(set_values(&one_value(xml))[0].value, value, "{xml}");
    }
}

#[test]
fn types_are_known_by_local_name_whatever_the_prefix() {
    for (xml, ty) in [
        ("<Value>1</Value>", ValueType::Absent),
        (
            "<Value xsi:type='xsd:boolean'>1</Value>",
            ValueType::Known(XsdType::Boolean),
        ),
        (
            "<Value xsi:type='unsignedInt'>1</Value>",
            ValueType::Known(XsdType::UnsignedInt),
        ),
        (
            "<Value xsi:type='undeclared:int'>1</Value>",
            ValueType::Known(XsdType::Int),
        ),
        (
            "<Value xsi:type='soap-enc:base64'>1</Value>",
            ValueType::Known(XsdType::Base64),
        ),
        (
            "<Value xsi:type='xsd:base64Binary'>1</Value>",
            ValueType::Known(XsdType::Base64),
        ),
        (
            "<Value xsi:type=' xsd:long '>1</Value>",
            ValueType::Known(XsdType::Long),
        ),
        (
            "<Value xsi:type='xsd:float'>1</Value>",
            ValueType::Unknown("float".into()),
        ),
        (
            "<Value xsi:type=''>1</Value>",
            ValueType::Unknown("".into()),
        ),
    ] {
        assert_eq!(set_values(&one_value(xml))[0].ty, ty, "{xml}");
    }
    for ty in XsdType::ALL {
        let xml = format!("<Value xsi:type='xsd:{}'>1</Value>", ty.schema_name());
        assert_eq!(set_values(&one_value(&xml))[0].ty, ValueType::Known(ty));
    }
}

// T-SOP-026
#[test]
fn arrays_are_counted_by_their_items_and_may_carry_a_type() {
    let item = "<ParameterValueStruct><Name>Device.X</Name><Value>1</Value></ParameterValueStruct>";
    for attributes in [
        "xsi:type=\"soap-enc:Array\" soap-enc:arrayType=\"cwmp:ParameterValueStruct[2]\"",
        "soap-enc:arrayType=\"cwmp:ParameterValueStruct[4000000000]\"",
        "soap-enc:arrayType=\"nonsense\"",
        "",
    ] {
        let list = format!("<ParameterList {attributes}>{item}{item}</ParameterList>");
        assert_eq!(set_values(&list).len(), 2, "{attributes}");
    }
    assert_eq!(set_values("<ParameterList/>").len(), 0);
}

#[test]
fn names_with_an_empty_or_missing_text_are_the_whole_model() {
    for path in [
        "<ParameterPath></ParameterPath>",
        "<ParameterPath/>",
        "<ParameterPath xsi:type='xsd:string'/>",
    ] {
        for (flag, next_level) in [
            ("0", false),
            ("1", true),
            ("true", true),
            (" false ", false),
        ] {
            let body = format!(
                "<cwmp:GetParameterNames>{path}<NextLevel>{flag}</NextLevel></cwmp:GetParameterNames>"
            );
            let wanted = AcsRequest::GetParameterNames {
                path: "".into(),
                next_level,
            };
            assert_eq!(
                read(&envelope(NS12, "", &body)).body,
                AcsBody::Request(wanted)
            );
        }
    }
}

#[test]
fn byte_order_mark_blanks_and_a_missing_declaration_are_accepted() {
    let plain = envelope(
        NS12,
        "",
        "<cwmp:Reboot><CommandKey>k</CommandKey></cwmp:Reboot>",
    );
    let bare = plain.split_once("?>\n").expect("it has a declaration").1;
    for text in [
        bare.to_string(),
        format!("\u{feff}{plain}"),
        format!("\u{feff}{bare}"),
        format!("\r\n  {plain}\n\n"),
        format!("<?xml version='1.0'?>{bare}"),
        format!("<?xml version='1.0' encoding='utf-8' standalone='yes'?>{bare}"),
        format!("<?xml version=\"1.0\" encoding = \"US-ASCII\"?>{bare}"),
        format!("<!-- before -->{bare}<!-- after -->"),
    ] {
        assert_eq!(read(&text).body, reboot("k"), "{text}");
    }
}

#[test]
fn nothing_or_blanks_only_is_an_empty_message() {
    for body in ["", " \r\n\t", "\u{feff}", "\u{feff}\n"] {
        assert_eq!(
            read_acs_message(body.as_bytes(), &Limits::default()),
            Ok(AcsMessage::Empty)
        );
    }
    assert_eq!(read(&envelope(NS12, "", "")).body, AcsBody::Nothing);
}

// T-SOP-024, T-SOP-009, T-SOP-010
#[test]
fn headers_are_taken_ignored_or_not_understood() {
    let read = |header: &str| read(&envelope(NS12, header, "<cwmp:FactoryReset/>"));
    assert_eq!(read(&id("  a &amp; b ")).id.as_deref(), Some("  a & b "));
    assert_eq!(read(&id("")).id.as_deref(), Some(""));
    assert_eq!(read("").id, None);
    assert!(read(cwmp_support::HOLD).hold_requests);
    assert!(
        !read("<cwmp:HoldRequests soap-env:mustUnderstand='1'>false</cwmp:HoldRequests>")
            .hold_requests
    );
    assert!(!read("").hold_requests);
    let must = "soap-env:mustUnderstand='1'";
    for (header, not_understood) in [
        (
            format!("<cwmp:NoMoreRequests {must}>1</cwmp:NoMoreRequests>"),
            None,
        ),
        (format!("<cwmp:Foo {must}/>"), Some("Foo")),
        (format!("<x:Foo xmlns:x='urn:x' {must}/>"), Some("Foo")),
        (format!("<x:ID xmlns:x='urn:x' {must}/>"), Some("ID")),
        (
            "<x:Foo xmlns:x='urn:x' soap-env:mustUnderstand='0'/>".into(),
            None,
        ),
        ("<x:Foo xmlns:x='urn:x'/>".into(), None),
        (
            format!("<x:Foo xmlns:x='urn:x' {must} soap-env:actor='urn:somebody-else'/>"),
            None,
        ),
        (
            format!(
                "<x:Foo xmlns:x='urn:x' {must} soap-env:actor='http://schemas.xmlsoap.org/soap/actor/next'/>"
            ),
            Some("Foo"),
        ),
    ] {
        assert_eq!(
            read(&header).not_understood.as_deref(),
            not_understood,
            "{header}"
        );
    }
    let version = "<cwmp:UseCWMPVersion soap-env:mustUnderstand='1'>1.0</cwmp:UseCWMPVersion>";
    assert_eq!(read(version).use_version.as_deref(), Some("1.0"));
}

#[test]
fn faults_are_read_with_or_without_cwmp_detail() {
    let fault = |code, text: &str| {
        AcsBody::Fault(AcsFault {
            code,
            text: text.into(),
        })
    };
    assert_eq!(
        read(&cwmp_support::acs_fault(8003)).body,
        fault(8003, "told 8003")
    );
    for (inside, body) in [
        (
            "<faultcode>x</faultcode><faultstring>plain</faultstring>",
            fault(0, "plain"),
        ),
        ("", fault(0, "")),
        (
            "<faultstring>s</faultstring><detail><cwmp:Fault><FaultCode>abc</FaultCode></cwmp:Fault></detail>",
            fault(0, "s"),
        ),
        (
            "<detail><cwmp:Fault><FaultCode> 8005 </FaultCode></cwmp:Fault></detail>",
            fault(8005, ""),
        ),
    ] {
        let text = envelope(
            NS12,
            "",
            &format!("<soap-env:Fault>{inside}</soap-env:Fault>"),
        );
        assert_eq!(read(&text).body, body);
    }
}

// Field note: a widely used ACS writes its faults so.
#[test]
fn a_fault_in_broken_xml_is_known_as_one() {
    let text = envelope(
        NS12,
        "",
        "<soap-env:Body:Fault><faultcode>Server</faultcode></soap-env:Body:Fault>",
    );
    let read = |t: &str| read_acs_message(t.as_bytes(), &Limits::default());
    assert_eq!(read(&text), Ok(AcsMessage::UnintelligibleFault));
    // Half of it could have been anything.
    let half = &text[..text.len() - 20];
    assert!(matches!(read(half), Err(ReadError::Xml(_))));
    // A text that only mentions it is not one.
    let said = envelope(
        NS12,
        "",
        "<cwmp:Reboot><CommandKey>soap-env:Body:Fault</Oops></cwmp:Reboot>",
    );
    assert!(matches!(read(&said), Err(ReadError::Xml(_))));
}

#[test]
fn responses_are_read_by_name() {
    let read = |body: &str| read(&envelope(NS12, "", body)).body;
    let response = AcsBody::Response;
    assert_eq!(
        read("<cwmp:InformResponse><MaxEnvelopes>junk</MaxEnvelopes></cwmp:InformResponse>"),
        response(AcsResponse::Inform)
    );
    assert_eq!(
        read("<cwmp:InformResponse/>"),
        response(AcsResponse::Inform)
    );
    assert_eq!(
        read("<cwmp:TransferCompleteResponse/>"),
        response(AcsResponse::TransferComplete)
    );
    assert_eq!(
        read(
            "<cwmp:GetRPCMethodsResponse><MethodList><string>Inform</string><string>X_0</string></MethodList></cwmp:GetRPCMethodsResponse>"
        ),
        response(AcsResponse::GetRpcMethods(vec![
            "Inform".into(),
            "X_0".into()
        ]))
    );
    assert_eq!(
        read("<cwmp:KickedResponse><NextURL>u</NextURL></cwmp:KickedResponse>"),
        response(AcsResponse::Kicked {
            next_url: "u".into()
        })
    );
    assert_eq!(
        read("<cwmp:FooResponse/>"),
        response(AcsResponse::Unknown("FooResponse".into()))
    );
    assert_eq!(
        read("<cwmp:Foo/>"),
        AcsBody::Request(AcsRequest::Unknown("Foo".into()))
    );
    assert_eq!(
        read("<x:Reboot xmlns:x='urn:x'/>"),
        AcsBody::Request(AcsRequest::Unknown("Reboot".into()))
    );
}
