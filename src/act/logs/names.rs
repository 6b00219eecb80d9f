//! Names of cells and agents, made fit to be names of files.

use crate::model::action::Place;
use crate::model::filename::safe;

/// Where the gateways' logs stand. No cell's name comes out as this.
const GATEWAYS: &str = "_gateways";

/// The directories beneath that of the logs in which the days of a subject stand.
pub(super) fn folders(place: &Place) -> Vec<String> {
    match &place.cell {
        Some((cell, _)) if cell == GATEWAYS => vec![format!("%5f{}", &GATEWAYS[1..])],
        Some((cell, _)) => vec![safe(cell)],
        None => vec![GATEWAYS.to_owned(), safe(&place.name)],
    }
}

/// True for the directory that has one more level beneath it than a cell's.
pub(super) fn has_more_levels(folder: &str) -> bool {
    folder == GATEWAYS
}

/// The name of a log.
pub(super) fn file(r#ref: &str, agent: &str) -> String {
    // A ref is ours and short; it is made safe all the same, as it is handed in.
    let mut r#ref = safe(r#ref);
    r#ref.truncate(
        (0..=64)
            .rev()
            .find(|n| r#ref.is_char_boundary(*n))
            .unwrap_or(0),
    );
    format!("{ref}_{}.log", safe(agent))
}

/// The name of the link to the newest log.
pub(super) fn link(agent: &str) -> String {
    format!("{}.log", safe(agent))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::text::is_unsafe;

    #[test]
    fn every_name_is_one_harmless_component_and_no_two_are_the_same() {
        let long = "x".repeat(255);
        let other = "x".repeat(254) + "y";
        let texts = [
            "",
            "%",
            "%25",
            ".",
            "..",
            ".x",
            "%2ex",
            "a/b",
            "a%2fb",
            "a\nb",
            "a\0b",
            "_gateways",
            "%5fgateways",
            "ä",
            "a\u{202e}b",
            "x y",
            "..\u{9b}",
            "main",
            &long,
            &other,
            &long[..160],
        ];
        let mut seen = BTreeSet::new();
        for text in texts {
            let place = Place {
                cell: Some((text.to_owned(), "/".into())),
                name: text.to_owned(),
            };
            let name = folders(&place).remove(0);
            assert!(!name.starts_with('.') && !name.contains('/'), "{name}");
            assert!(!name.chars().any(is_unsafe) && !name.is_empty(), "{name:?}");
            assert!(file("0123456789abcdef-ffff-1", text).len() <= 255);
            assert_ne!(name, GATEWAYS);
            assert!(seen.insert(name), "{text:?}");
        }
        assert_eq!(safe("portal-1"), "portal-1");
        assert_eq!(file(&"é".repeat(99), "a").len(), 64 + "_a.log".len());
    }
}
