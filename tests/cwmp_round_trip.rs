//! What is written reads back as the same text, whatever the text.

use cwmp_agent::cwmp::datetime::DateTime;
use cwmp_agent::cwmp::message::{AcsRequest, ParameterValue, ValueType, XsdType};
use cwmp_agent::cwmp::soap::{
    AcsBody, AcsMessage, Heading, Limits, ValuesWriter, read_acs_message,
};
use cwmp_agent::cwmp::version::CwmpVersion;
use proptest::prelude::*;

/// Writes values as a response and reads them back as what an ACS would set.
fn there_and_back(id: &str, values: &[ParameterValue]) -> (Option<String>, Vec<ParameterValue>) {
    let heading = Heading {
        version: CwmpVersion::V1_4,
        id: Some(id.into()),
        cap: 1 << 20,
    };
    let mut writer = ValuesWriter::new(&heading);
    for v in values {
        writer.push(&v.name, v.ty, &v.value).expect("fits");
    }
    let text = String::from_utf8(writer.finish().expect("fits")).expect("UTF-8");
    let text = text
        .replace(
            "<cwmp:GetParameterValuesResponse>",
            "<cwmp:SetParameterValues>",
        )
        .replace(
            "</cwmp:GetParameterValuesResponse>",
            "<ParameterKey/></cwmp:SetParameterValues>",
        );
    let read = read_acs_message(text.as_bytes(), &Limits::default());
    let Ok(AcsMessage::Envelope(envelope)) = read else {
        panic!("{read:?}\n{text}")
    };
    let AcsBody::Request(AcsRequest::SetParameterValues { list, .. }) = envelope.body else {
        panic!("{:?}", envelope.body);
    };
    let values = list
        .into_iter()
        .map(|v| match v.ty {
            ValueType::Known(ty) => ParameterValue {
                name: v.name,
                ty,
                value: v.value,
            },
            other => panic!("{other:?}"),
        })
        .collect();
    (envelope.id, values)
}

/// The same text with what XML 1.0 forbids replaced.
fn allowed(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' | '\n' | '\r' => c,
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
            c => c,
        })
        .collect()
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::collection::vec(any::<char>(), 0..60).prop_map(|c| c.into_iter().collect()),
        // The characters that matter to XML, and to shells.
        proptest::collection::vec(
            proptest::sample::select(
                "<>&\"'\r\n\t ]]>\0\u{b}\u{1f}\u{7f}\u{85}\u{2028}\u{fffe}\u{feff}$(`\\;a\u{1f600}"
                    .chars()
                    .collect::<Vec<_>>()
            ),
            0..60
        )
        .prop_map(|c| c.into_iter().collect()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_survive_writing_and_reading(
        id in any_text(),
        texts in proptest::collection::vec((any_text(), 0..XsdType::ALL.len()), 0..8),
    ) {
        let values: Vec<ParameterValue> = texts
            .into_iter()
            .enumerate()
            .map(|(i, (value, ty))| ParameterValue {
                name: format!("Device.X.{i}"),
                ty: XsdType::ALL[ty],
                value,
            })
            .collect();
        let (read_id, read) = there_and_back(&id, &values);
        prop_assert_eq!(read_id, Some(allowed(&id)));
        prop_assert_eq!(read.len(), values.len());
        for (read, written) in read.iter().zip(&values) {
            prop_assert_eq!(&read.value, &allowed(&written.value));
            prop_assert_eq!((&read.name, read.ty), (&written.name, written.ty));
        }
    }

    #[test]
    fn moments_survive_writing_and_reading(seconds in -62_000_000_000i64..253_402_300_799, offset in -839i16..=839) {
        let utc = DateTime::Utc(seconds);
        prop_assert_eq!(DateTime::parse(&utc.to_string()), Some(utc));
        let local = DateTime::Local { seconds, offset_minutes: offset };
        if (-62_000_000_000 + 60_000..253_402_300_799 - 60_000).contains(&seconds) {
            prop_assert_eq!(DateTime::parse(&local.to_string()), Some(utc));
        }
    }

    #[test]
    fn reading_never_panics(text in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = DateTime::parse(&text);
        let _ = read_acs_message(text.as_bytes(), &Limits::default());
        let _ = read_acs_message(&bytes, &Limits::default());
    }
}
