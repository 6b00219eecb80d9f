//! Places for secrets: what stands there is never shown, whatever it turns out to be.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::spanned::{HIDDEN, SECRET, marked};

/// Where a secret is to be found, as it is written: `{env: NAME}` or `{file: PATH}`. Anything else is
/// taken in as well, so that whoever checks it can say what is wrong without repeating it.
#[derive(Clone, PartialEq, Eq)]
pub enum Sealed {
    /// Text that was written out.
    Text(String),
    /// `{env: NAME}`.
    Env(String),
    /// `{file: PATH}`.
    File(String),
    /// Something else.
    Other,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By way of the marker, which hides the lines.
        let expecting = "`{env: NAME}` or `{file: PATH}`";
        marked(deserializer, SECRET, expecting, Anything)
    }
}

/// Takes anything.
struct Anything;

impl<'de> DeserializeSeed<'de> for Anything {
    type Value = Sealed;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Sealed, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Anything {
    type Value = Sealed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Sealed, E> {
        Ok(Sealed::Text(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Sealed, E> {
        Ok(Sealed::Other)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Sealed, E> {
        Ok(Sealed::Text(number.to_string()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Sealed, E> {
        Ok(Sealed::Text(number.to_string()))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Sealed, E> {
        Ok(Sealed::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Sealed, E> {
        Ok(Sealed::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Sealed, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Sealed::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sealed, A::Error> {
        let mut found = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            found.push((key, map.next_value_seed(Anything)?));
        }
        let one = (found.len() == 1).then(|| found.pop()).flatten();
        Ok(match one {
            Some((key, Sealed::Text(name))) if key == "env" => Sealed::Env(name),
            Some((key, Sealed::Text(path))) if key == "file" => Sealed::File(path),
            _ => Sealed::Other,
        })
    }
}

impl JsonSchema for Sealed {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Sealed".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "string"}, secret_schema()]})
    }
}

/// A value of which no line is ever quoted, since secrets stand beside what is wrong in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hidden<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Hidden<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        marked(deserializer, HIDDEN, "a value", PhantomData).map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for Hidden<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A place where nothing but a secret may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretPlace(pub Sealed);

impl<'de> Deserialize<'de> for SecretPlace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Sealed::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for SecretPlace {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "SecretPlace".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        secret_schema()
    }
}

fn secret_schema() -> Schema {
    json_schema!({
        "description": "Where the secret is: an environment variable, or a file that nobody but its owner may read.",
        "oneOf": [
            {"type": "object", "properties": {"env": {"type": "string"}}, "required": ["env"], "additionalProperties": false},
            {"type": "object", "properties": {"file": {"type": "string"}}, "required": ["file"], "additionalProperties": false}
        ]
    })
}
