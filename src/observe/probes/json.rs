//! What a JSON text must have at least.

use serde_json::Value;

use crate::model::text::{shortened, visible};

/// Reads a JSON text.
///
/// # Errors
/// What follows "its body": it is none, or goes too deep (the library's bound: 128 levels).
pub(super) fn parse(text: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(text).map_err(|_| "is no JSON".to_owned())
}

/// Checks that a value has at least what is wanted. Keys at the top that begin with `/` are JSON
/// pointers: what stands there is to have at least what they say.
///
/// # Errors
/// A sentence: the first place where it is otherwise.
pub(super) fn has(value: &Value, wanted: &Value) -> Result<(), String> {
    let Value::Object(keys) = wanted else {
        return within(value, wanted, &mut String::new());
    };
    let Some(fields) = value.as_object() else {
        // Pointers lead into lists as well.
        return match keys.keys().all(|key| key.starts_with('/')) && !keys.is_empty() {
            true => keys.iter().try_for_each(|(key, w)| pointed(value, key, w)),
            false => Err("it is no JSON object".to_owned()),
        };
    };
    keys.iter()
        .try_for_each(|(key, wanted)| match key.starts_with('/') {
            true => pointed(value, key, wanted),
            false => field(fields, key, wanted, &mut String::new()),
        })
}

fn pointed(value: &Value, pointer: &str, wanted: &Value) -> Result<(), String> {
    match value.pointer(pointer) {
        Some(value) => within(value, wanted, &mut pointer.to_owned()),
        None => Err(format!("there is no {}", visible(pointer))),
    }
}

fn field(
    fields: &serde_json::Map<String, Value>,
    key: &str,
    wanted: &Value,
    at: &mut String,
) -> Result<(), String> {
    let length = at.len();
    at.push('/');
    at.push_str(&key.replace('~', "~0").replace('/', "~1"));
    let has = match fields.get(key) {
        Some(value) => within(value, wanted, at),
        None => Err(format!("there is no {}", visible(at))),
    };
    at.truncate(length);
    has
}

/// Objects may have more than is wanted, lists may not; numbers are equal by what they are and not
/// by how they are written.
fn within(value: &Value, wanted: &Value, at: &mut String) -> Result<(), String> {
    let same = match (value, wanted) {
        (Value::Object(fields), Value::Object(keys)) => {
            return keys
                .iter()
                .try_for_each(|(key, wanted)| field(fields, key, wanted, at));
        }
        (Value::Array(items), Value::Array(wanted)) if items.len() == wanted.len() => {
            let length = at.len();
            for (n, (item, wanted)) in items.iter().zip(wanted).enumerate() {
                at.push_str(&format!("/{n}"));
                within(item, wanted, at)?;
                at.truncate(length);
            }
            true
        }
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    };
    match same {
        true => Ok(()),
        false => {
            let at = if at.is_empty() { "it" } else { at };
            Err(format!(
                "{} is {}, not {}",
                visible(at),
                shown(value),
                shown(wanted)
            ))
        }
    }
}

/// A value in a few words.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(items) => format!("a list of {}", items.len()),
        plain => visible(&shortened(&plain.to_string(), 40)).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let plain = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3..3_i64).prop_map(Value::from),
            "[a/~]{0,2}".prop_map(Value::from),
        ];
        plain.prop_recursive(3, 16, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-c~]{1,2}", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// The value with some of its keys left out.
    fn thinned(value: &Value, bits: &mut u32) -> Value {
        let mut bit = || {
            *bits = bits.rotate_right(1);
            *bits & 1 == 1
        };
        match value {
            Value::Object(map) => {
                let mut kept = serde_json::Map::new();
                for (key, value) in map {
                    if bit() {
                        kept.insert(key.clone(), value.clone());
                    }
                }
                let kept = kept.into_iter();
                kept.map(|(key, value)| (key, thinned(&value, bits)))
                    .collect()
            }
            Value::Array(items) => items.iter().map(|v| thinned(v, bits)).collect(),
            plain => plain.clone(),
        }
    }

    /// Every place in a value, as a pointer.
    fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
        all.push(at.to_owned());
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let key = key.replace('~', "~0").replace('/', "~1");
                    pointers(value, &format!("{at}/{key}"), all);
                }
            }
            Value::Array(items) => {
                for (n, value) in items.iter().enumerate() {
                    pointers(value, &format!("{at}/{n}"), all);
                }
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn a_value_has_itself_and_less(value in value(), mut bits in any::<u32>()) {
            let object = json!({"x": value});
            prop_assert_eq!(has(&object, &object), Ok(()));
            prop_assert_eq!(has(&object, &thinned(&object, &mut bits)), Ok(()));
        }

        /// What is wanted and not there is missed, and what is said of it names the place.
        #[test]
        fn it_has_no_more(value in value()) {
            let object = json!({"x": value.clone()});
            let more = json!({"x": value.clone(), "y": 1});
            prop_assert_eq!(has(&object, &more), Err("there is no /y".to_owned()));
            let other = json!({"x": [value]});
            prop_assert!(has(&object, &other).is_err());
        }

        #[test]
        fn every_place_can_be_pointed_at(value in value()) {
            let mut all = Vec::new();
            pointers(&value, "", &mut all);
            for pointer in all.iter().filter(|p| !p.is_empty()) {
                let there = value.pointer(pointer).unwrap().clone();
                let mut wanted = serde_json::Map::new();
                wanted.insert(pointer.clone(), there);
                prop_assert_eq!(has(&value, &Value::Object(wanted.clone())), Ok(()));
                wanted.insert(pointer.clone(), json!("something else"));
                prop_assert!(has(&value, &Value::Object(wanted)).is_err());
            }
        }
    }

    #[test]
    fn what_is_told_of_a_difference() {
        let health =
            json!({"status": "down", "uptime_seconds": 12.0, "ports": [1, 2], "a": {"b": null}});
        for (wanted, told) in [
            (json!({"status": "ok"}), "/status is \"down\", not \"ok\""),
            (json!({"a": {"b": 1}}), "/a/b is null, not 1"),
            (json!({"/a/b": 1}), "/a/b is null, not 1"),
            (json!({"/a/c": 1}), "there is no /a/c"),
            (json!({"/ports/1": 3}), "/ports/1 is 2, not 3"),
            (
                json!({"ports": [1]}),
                "/ports is a list of 2, not a list of 1",
            ),
            (json!("ok"), "it is an object, not \"ok\""),
        ] {
            assert_eq!(has(&health, &wanted), Err(told.to_owned()), "{wanted}");
        }
        for wanted in [
            json!({"uptime_seconds": 12}),
            json!({"/ports/0": 1.0}),
            json!({}),
        ] {
            assert_eq!(has(&health, &wanted), Ok(()), "{wanted}");
        }
        assert_eq!(has(&json!([1, 2]), &json!({"/0": 1})), Ok(()));
        assert!(has(&json!([1, 2]), &json!({"status": "ok"})).is_err());
    }
}
