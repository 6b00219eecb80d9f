//! Globs over names. A few thousand of them are compiled in each run, so those that are nothing
//! but text and `*`, which is nearly all, are matched by hand; the others go to globset.

use globset::GlobMatcher;

/// A glob, and what it was written as.
#[derive(Clone, Debug)]
pub struct Glob {
    /// As written.
    pub text: String,
    /// Compiled.
    pub matcher: Matcher,
}

/// A compiled glob.
#[derive(Clone, Debug)]
pub struct Matcher(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// Text and `*` only: the pieces between the stars, of which there is at least one.
    Simple(Vec<Box<str>>),
    /// Everything else.
    Full(Box<GlobMatcher>),
}

/// How a glob can be looked up without being tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape<'g> {
    /// Exactly this text.
    Literal(&'g str),
    /// Begins with this text; then anything, or something that is to be tried.
    Prefix(&'g str),
    /// Ends with this text, likewise.
    Suffix(&'g str),
    /// Has to be tried.
    Other,
}

impl Glob {
    /// Compiles a glob: `*`, `?`, `[a-z]`, `{one,other}`; a backslash takes the next character as
    /// it is. `*` matches any characters, the slash included.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let kind = if text.contains(['?', '[', ']', '{', '}', '\\', '/']) {
            let glob = globset::Glob::new(text).map_err(|e| e.kind().to_string())?;
            Kind::Full(Box::new(glob.compile_matcher()))
        } else {
            Kind::Simple(text.split('*').map(Box::from).collect())
        };
        Ok(Self {
            text: text.to_owned(),
            matcher: Matcher(kind),
        })
    }

    /// True where the name matches.
    #[must_use]
    pub fn is_match(&self, name: &str) -> bool {
        self.matcher.is_match(name)
    }

    /// True where everything that the other matches is matched by this one too; false also where
    /// that is not seen at a glance.
    #[must_use]
    pub fn covers(&self, other: &Glob) -> bool {
        // A star in the other's text can only be taken by a star of this one.
        let simple = |glob: &Glob| matches!(glob.matcher.0, Kind::Simple(_));
        self.text == other.text
            || (simple(self) && simple(other) && self.is_match(&other.text))
            || self.text == "*"
    }

    /// How it can be looked up.
    pub(super) fn shape(&self) -> Shape<'_> {
        match &self.matcher.0 {
            Kind::Simple(pieces) => match &pieces[..] {
                [whole] => Shape::Literal(whole),
                [first, ..] if !first.is_empty() => Shape::Prefix(first),
                [.., last] if !last.is_empty() => Shape::Suffix(last),
                _ => Shape::Other,
            },
            Kind::Full(_) => Shape::Other,
        }
    }
}

impl Matcher {
    /// True where the name matches.
    #[must_use]
    pub fn is_match(&self, name: &str) -> bool {
        match &self.0 {
            Kind::Full(glob) => glob.is_match(name),
            Kind::Simple(pieces) => match &pieces[..] {
                [whole] => **whole == *name,
                [first, between @ .., last] => {
                    let rest = name.strip_prefix(&**first);
                    let rest = rest.and_then(|rest| rest.strip_suffix(&**last));
                    // Each piece where it first occurs: what is left is longest then.
                    let after = |rest: &mut &str, piece: &str| {
                        let found = rest.find(piece)?;
                        *rest = &rest[found + piece.len()..];
                        Some(())
                    };
                    rest.is_some_and(|mut rest| {
                        between.iter().all(|p| after(&mut rest, p).is_some())
                    })
                }
                [] => false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn by_hand_it_is_the_same_as_by_globset(glob in "[ab*]{0,6}", name in "[ab]{0,8}") {
            let theirs = globset::Glob::new(&glob).unwrap().compile_matcher();
            let ours = Glob::new(&glob).unwrap();
            prop_assert_eq!(ours.is_match(&name), theirs.is_match(&name), "{} {}", glob, name);
        }

        #[test]
        fn what_covers_matches_all_that_the_other_does(
            one in "[ab*]{0,4}", two in "[ab*]{0,4}", name in "[ab]{0,5}",
        ) {
            let (one, two) = (Glob::new(&one).unwrap(), Glob::new(&two).unwrap());
            if one.covers(&two) && two.is_match(&name) {
                prop_assert!(one.is_match(&name));
            }
        }
    }

    #[test]
    fn what_is_more_than_stars_goes_to_globset() {
        let glob = Glob::new("portal-[0-9]{y,x}").unwrap();
        assert!(glob.is_match("portal-1y") && glob.is_match("portal-2x"));
        assert!(!glob.is_match("portal-x"));
        assert!(Glob::new("*").unwrap().is_match("a/b"));
        assert!(Glob::new("a/*").unwrap().is_match("a/b/c"));
        for bad in ["[a", "{a", "a\\", "[z-a]"] {
            assert!(Glob::new(bad).is_err(), "{bad}");
        }
    }
}
