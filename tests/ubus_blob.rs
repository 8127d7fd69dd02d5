//! blobmsg: what is written reads back, and what is read is within its bounds.

use cwmp_agent::ubus::blob::{Attributes, BlobError, MAX_DEPTH, MAX_VALUES, Step, Walk, Writer};
use cwmp_agent::ubus::json;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (-1e12..1e12).prop_map(Value::from),
        "[^\0]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec(("[^\0]{0,9}", inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_json_says_is_read_back(fields in vec(("[^\0]{0,9}", value()), 0..6)) {
        let table: Map<String, Value> = fields.into_iter().collect();
        let payload = json::payload(&table).unwrap();
        prop_assert_eq!(payload.len() % 4, 0);
        prop_assert_eq!(json::table(&payload).unwrap(), table);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _ = json::table(&bytes);
        let mut steps = 0;
        for step in Walk::through(&bytes) {
            steps += 1;
            if step.is_err() {
                break;
            }
        }
        prop_assert!(steps <= 2 * MAX_VALUES);
        let payloads: usize = Attributes::of(&bytes).flatten().map(|a| a.payload.len()).sum();
        prop_assert!(payloads <= bytes.len());
    }

    #[test]
    fn every_cut_of_a_message_is_refused(table in value(), cut in 1usize..40) {
        let mut fields = Map::new();
        fields.insert("a".to_owned(), table);
        let payload = json::payload(&fields).unwrap();
        let end = payload.len().saturating_sub(cut).max(1);
        prop_assert!(json::table(&payload[..end]).is_err());
    }
}

fn nested(depth: usize) -> Map<String, Value> {
    let mut value = json!(1);
    for _ in 0..depth {
        value = json!({ "in": value });
    }
    Map::from_iter([("top".to_owned(), value)])
}

/// The same bytes as a writer without bounds would make.
fn nested_bytes(depth: usize) -> Vec<u8> {
    // The innermost: a table without values, named "in".
    let mut bytes = vec![0x82, 0, 0, 12, 0, 2, b'i', b'n', 0, 0, 0, 0];
    for _ in 1..depth {
        let length = u32::try_from(bytes.len() + 12).unwrap() | 0x8200_0000;
        let mut outer = length.to_be_bytes().to_vec();
        outer.extend([0, 2, b'i', b'n', 0, 0, 0, 0]);
        outer.extend(&bytes);
        bytes = outer;
    }
    bytes
}

#[test]
fn tables_lie_in_each_other_only_so_deep() {
    let deepest = json::payload(&nested(MAX_DEPTH)).unwrap();
    assert_eq!(json::table(&deepest).unwrap(), nested(MAX_DEPTH));
    assert_eq!(json::payload(&nested(MAX_DEPTH + 1)), Err(BlobError::Depth));
    assert!(json::table(&nested_bytes(MAX_DEPTH)).is_ok());
    assert_eq!(
        json::table(&nested_bytes(MAX_DEPTH + 1)),
        Err(BlobError::Depth)
    );
    assert_eq!(json::table(&nested_bytes(20_000)), Err(BlobError::Depth));
}

#[test]
fn only_so_many_values_are_taken() {
    let row = |n| Map::from_iter([("row".to_owned(), json!(vec![Value::Null; n]))]);
    let most = json::payload(&row(MAX_VALUES - 1)).unwrap();
    assert!(json::table(&most).is_ok());
    assert_eq!(json::payload(&row(MAX_VALUES)), Err(BlobError::Count));
    let mut more = most;
    more.extend([0x80, 0, 0, 8, 0, 0, 0, 0]);
    assert_eq!(json::table(&more), Err(BlobError::Count));
}

#[test]
fn what_has_no_place_in_a_blob_is_not_written() {
    let of = |value: Value| json::payload(&Map::from_iter([("a".to_owned(), value)]));
    assert_eq!(of(json!("x".repeat(256 * 1024))), Err(BlobError::Size));
    assert_eq!(of(json!("a\0b")), Err(BlobError::Text));
    assert_eq!(of(json!({ "a\0b": 1 })), Err(BlobError::Text));
    assert_eq!(of(json!({ "n".repeat(70_000): 1 })), Err(BlobError::Text));

    let mut open = Writer::new();
    open.open_table("a");
    assert_eq!(open.finish(), Err(BlobError::Unbalanced));
    let mut closed = Writer::new();
    closed.close();
    assert_eq!(closed.finish(), Err(BlobError::Unbalanced));
}

#[test]
fn whole_numbers_take_the_room_they_need() {
    let of = |value: Value| json::payload(&Map::from_iter([("a".to_owned(), value)])).unwrap();
    assert_eq!(of(json!(i32::MIN))[0], 0x85);
    assert_eq!(of(json!(i64::from(i32::MAX) + 1))[0], 0x84);
    assert_eq!(of(json!(u64::MAX))[0], 0x88);
}

/// One value named "a" of this type, with these bytes after the name.
fn one(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80 | kind, 0, 0, 8 + u8::try_from(value.len()).unwrap()];
    bytes.extend([0, 1, b'a', 0]);
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[test]
fn values_must_have_the_size_of_their_type() {
    let sizes: [(u8, usize); 5] = [(4, 8), (5, 4), (6, 2), (7, 1), (8, 8)];
    for (kind, size) in sizes {
        for wrong in [0, size - 1, size + 1] {
            let refused = json::table(&one(kind, &vec![0; wrong]));
            assert_eq!(refused, Err(BlobError::Value(kind)), "{wrong}");
        }
        assert!(json::table(&one(kind, &vec![0; size])).is_ok());
    }
    assert_eq!(json::table(&one(9, b"")), Err(BlobError::Type(9)));
    // A text ends in a NUL; what follows an earlier one is not part of it.
    assert_eq!(json::table(&one(3, b"")), Err(BlobError::Value(3)));
    assert_eq!(json::table(&one(3, b"abc")), Err(BlobError::Value(3)));
    assert_eq!(json::table(&one(3, b"ab\0cd\0")).unwrap()["a"], "ab");
    assert_eq!(json::table(&one(3, b"\xff\0")).unwrap()["a"], "\u{fffd}");
}

#[test]
fn names_must_end_where_they_say() {
    let mut plain = one(7, &[1]);
    plain[0] = 7;
    assert_eq!(json::table(&plain), Err(BlobError::Name));
    let mut long = one(7, &[1]);
    long[4..6].copy_from_slice(&[0xff, 0xff]);
    assert_eq!(json::table(&long), Err(BlobError::Name));
    let mut early = vec![0x87, 0, 0, 13, 0, 3, b'a', 0, b'b', 0, 0, 0, 1];
    early.resize(16, 0);
    assert_eq!(json::table(&early), Err(BlobError::Name));
    let mut endless = one(7, &[1]);
    endless[7] = b'b';
    assert_eq!(json::table(&endless), Err(BlobError::Name));
}

#[test]
fn a_walk_ends_with_its_first_error() {
    let mut bytes = one(9, b"");
    bytes.extend(one(7, &[1]));
    let steps: Vec<_> = Walk::through(&bytes).collect();
    assert_eq!(steps, [Err(BlobError::Type(9))]);

    let mut bytes = one(7, &[1]);
    bytes.extend([0x87, 0, 0, 3]);
    let steps: Vec<_> = Walk::through(&bytes).collect();
    let first: (&[u8], _) = (b"a", Step::Bool(true));
    assert_eq!(steps, [Ok(first), Err(BlobError::Length)]);
}
