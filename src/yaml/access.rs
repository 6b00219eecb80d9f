//! What serde asks for piece by piece: entries, items, variants, and a value with its place.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::de::Reader;
use super::error::Error;
use super::node::Node;

/// The entries of a mapping.
pub(super) struct Entries<'n> {
    pub(super) reader: Reader<'n>,
    pub(super) rest: std::vec::IntoIter<&'n (Node, Node)>,
    pub(super) value: Option<&'n Node>,
}

impl<'n> MapAccess<'n> for Entries<'n> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'n>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.rest.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        seed.deserialize(self.reader.of(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let value = self.value.take().unwrap_or(self.reader.node);
        seed.deserialize(self.reader.of(value))
            .map_err(|e| e.at(value))
    }
}

/// The items of a list.
pub(super) struct Items<'n> {
    pub(super) reader: Reader<'n>,
    pub(super) rest: std::vec::IntoIter<&'n Node>,
}

impl<'n> SeqAccess<'n> for Items<'n> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'n>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(node) = self.rest.next() else {
            return Ok(None);
        };
        seed.deserialize(self.reader.of(node))
            .map(Some)
            .map_err(|e| e.at(node))
    }
}

/// A node as its line, its column and itself.
pub(super) struct Placed<'n> {
    pub(super) reader: Reader<'n>,
    pub(super) next: u8,
}

impl<'n> SeqAccess<'n> for Placed<'n> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'n>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        self.next += 1;
        let place = self.reader.node.place;
        match self.next {
            1 => seed.deserialize(place.line.into_deserializer()),
            2 => seed.deserialize(place.column.into_deserializer()),
            3 => seed.deserialize(self.reader),
            _ => return Ok(None),
        }
        .map(Some)
    }
}

/// A word, or a key with its value, as an enum's variant.
pub(super) struct Variant<'n> {
    /// The word or key.
    pub(super) reader: Reader<'n>,
    pub(super) value: Option<&'n Node>,
}

impl<'n> EnumAccess<'n> for Variant<'n> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'n>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name = seed.deserialize(self.reader)?;
        Ok((name, self))
    }
}

impl<'n> Variant<'n> {
    fn payload(&self) -> Result<Reader<'n>, Error> {
        let key = self.reader.node;
        let name = key.text().unwrap_or_default();
        match self.value {
            Some(value) => Ok(self.reader.of(value)),
            None => Err(Error::new(format!("`{name}` needs a value"))
                .with_help(Some(format!("write it as `{{{name}: …}}`")))
                .at(key)),
        }
    }
}

impl<'n> VariantAccess<'n> for Variant<'n> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.value {
            Some(value) if !value.is_null() => {
                let name = self.reader.node.text().unwrap_or_default();
                Err(Error::new(format!("`{name}` takes no value")).at(value))
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'n>>(self, seed: T) -> Result<T::Value, Error> {
        let payload = self.payload()?;
        seed.deserialize(payload).map_err(|e| e.at(payload.node))
    }

    fn tuple_variant<V: Visitor<'n>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.payload()?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'n>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.payload()?.deserialize_struct("", fields, visitor)
    }
}
