//! What a plain scalar means: the core schema of YAML 1.2.

/// The value of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Nothing, `~`, `null`.
    Null,
    /// `true`, `false`. (`yes` and `on` are text.)
    Bool(bool),
    /// A whole number, zero or more.
    Unsigned(u64),
    /// A whole number below zero.
    Signed(i64),
    /// Any other number, the infinities and NaN included.
    Float(f64),
    /// Text.
    Text(&'a str),
}

/// The value of a plain scalar with this text.
#[must_use]
pub fn plain(text: &str) -> Value<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).unwrap_or(Value::Text(text)),
    }
}

fn number(text: &str) -> Option<Value<'_>> {
    let based = |digits: &str, base| match u64::from_str_radix(digits, base) {
        // from_str_radix takes a sign, the core schema does not here.
        Ok(n) if !digits.starts_with('+') => Some(Value::Unsigned(n)),
        _ => None,
    };
    if let Some(digits) = text.strip_prefix("0x") {
        return based(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return based(digits, 8);
    }
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    match body {
        ".inf" | ".Inf" | ".INF" if text.starts_with('-') => {
            return Some(Value::Float(f64::NEG_INFINITY));
        }
        ".inf" | ".Inf" | ".INF" => return Some(Value::Float(f64::INFINITY)),
        _ if matches!(text, ".nan" | ".NaN" | ".NAN") => return Some(Value::Float(f64::NAN)),
        _ => {}
    }
    // Rust's float also takes `inf`, `nan` and `infinity`, which are text in YAML.
    let digits = body.bytes().any(|b| b.is_ascii_digit());
    let begins = body.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if !digits
        || !begins
        || !body
            .bytes()
            .all(|b| b.is_ascii_digit() || b".eE+-".contains(&b))
    {
        return None;
    }
    if body.bytes().all(|b| b.is_ascii_digit()) {
        let signless = text.strip_prefix('+').unwrap_or(text);
        if let Ok(n) = signless.parse() {
            return Some(Value::Unsigned(n));
        }
        if let Ok(n) = signless.parse() {
            return Some(Value::Signed(n));
        }
    }
    text.parse().ok().map(Value::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schema() {
        for (text, value) in [
            ("", Value::Null),
            ("~", Value::Null),
            ("True", Value::Bool(true)),
            ("yes", Value::Text("yes")),
            ("0", Value::Unsigned(0)),
            ("+7", Value::Unsigned(7)),
            ("007", Value::Unsigned(7)),
            ("-7", Value::Signed(-7)),
            ("0x1F", Value::Unsigned(31)),
            ("0o17", Value::Unsigned(15)),
            ("0x+1", Value::Text("0x+1")),
            ("1.5", Value::Float(1.5)),
            ("1.", Value::Float(1.0)),
            (".5", Value::Float(0.5)),
            ("1e3", Value::Float(1000.0)),
            (
                "18446744073709551616",
                Value::Float(1.844_674_407_370_955_2e19),
            ),
            ("-.inf", Value::Float(f64::NEG_INFINITY)),
            ("inf", Value::Text("inf")),
            ("nan", Value::Text("nan")),
            (".", Value::Text(".")),
            ("1-2", Value::Text("1-2")),
            ("1.2.3", Value::Text("1.2.3")),
            ("90s", Value::Text("90s")),
            ("e5", Value::Text("e5")),
            ("2026-11-21", Value::Text("2026-11-21")),
        ] {
            assert_eq!(plain(text), value, "{text:?}");
        }
        assert!(matches!(plain(".nan"), Value::Float(n) if n.is_nan()));
    }
}
