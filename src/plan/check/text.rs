//! Strings of a plan: templates, names, addresses.

use std::collections::BTreeMap;

use super::{Check, Scope};
use crate::plan::template::Template;
use crate::yaml::{Pairs, Place, Spanned, did_you_mean};

/// What a template of a plan for cells may name, beside `cell.labels.X`.
const OF_CELLS: [&str; 7] = [
    "cell.id",
    "cell.root",
    "cell.labels",
    "agent.name",
    "agent.home",
    "attempt",
    "incident",
];
/// What a template of a plan for gateways may name.
const OF_GATEWAYS: [&str; 3] = ["gateway.name", "attempt", "incident"];

impl Check<'_, '_> {
    /// A template; where it is wrong, what is written, as it is.
    pub(super) fn template(&mut self, text: Spanned<String>) -> Template {
        let Spanned { value, place } = text;
        if value.contains('\0') {
            self.problems
                .error(place, "a NUL character is not allowed here");
        }
        match Template::parse_with_variables(&value) {
            Ok((template, names)) => {
                for name in names {
                    self.variable(&name, place);
                }
                template
            }
            Err(why) => {
                let message = format!("this template is wrong: {why}");
                self.problems.error(place, message);
                Template::literal(value)
            }
        }
    }

    fn variable(&mut self, name: &str, place: Place) {
        let (known, others): (&[&str], &[&str]) = match self.scope {
            Scope::Cells => (&OF_CELLS, &OF_GATEWAYS),
            Scope::Gateways => (&OF_GATEWAYS, &OF_CELLS),
        };
        let label = self.scope == Scope::Cells
            && name
                .strip_prefix("cell.labels.")
                .is_some_and(|label| !label.contains('.'));
        if label || known.contains(&name) {
            return;
        }
        if others.contains(&name) || (name.starts_with("cell.") && self.scope != Scope::Cells) {
            let (here, there) = match self.scope {
                Scope::Cells => ("cells", "a gateway"),
                Scope::Gateways => ("gateways", "a cell"),
            };
            let message = format!("`{name}` is of {there}, and this plan is for {here}");
            self.problems.error(place, message);
            return;
        }
        let help = did_you_mean(name, known).unwrap_or_else(|| {
            let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            format!("there are {}", known.join(", "))
        });
        let help = help.replace("`cell.labels`", "`cell.labels.NAME`");
        let message = format!("unknown variable `{name}`");
        self.problems.error_with_help(place, message, Some(help));
    }

    /// Program and arguments, of which there is at least the program.
    pub(super) fn command(
        &mut self,
        words: Vec<Spanned<String>>,
        place: Place,
    ) -> Option<Vec<Template>> {
        match words.first() {
            None => {
                self.problems.error(place, "the command is empty");
                return None;
            }
            Some(program) if program.value.trim().is_empty() => {
                self.problems.error(program.place, "the program is empty");
            }
            Some(_) => {}
        }
        Some(words.into_iter().map(|word| self.template(word)).collect())
    }

    /// An absolute path, as far as that can be seen.
    pub(super) fn path(&mut self, text: Spanned<String>) -> Template {
        let place = text.place;
        let template = self.template(text);
        if !template.source().starts_with(['/', '{']) {
            let help = match self.scope {
                Scope::Cells => Some("begin it with `/`, or with `{{ cell.root }}/`".to_owned()),
                Scope::Gateways => None,
            };
            self.problems
                .error_with_help(place, "this must be an absolute path", help);
        }
        template
    }

    /// Text that must not be empty.
    pub(super) fn not_empty(&mut self, text: Spanned<String>) -> Template {
        if text.value.is_empty() {
            self.problems.error(text.place, "this must not be empty");
        }
        self.template(text)
    }

    pub(super) fn url(&mut self, text: Spanned<String>) -> Template {
        let place = text.place;
        let template = self.template(text);
        let url = template.source();
        let rest = ["http://", "https://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme));
        let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        let host = host.map(|host| host.rsplit('@').next().unwrap_or_default());
        let good = host.is_some_and(|host| {
            let port = match host.rsplit_once(':') {
                Some((name, port)) if !port.ends_with(']') => {
                    port.parse::<u16>().is_ok() && !name.is_empty()
                }
                _ => true,
            };
            port && !host.is_empty() && !url.chars().any(|c| c.is_whitespace() || c.is_control())
        });
        if !good && !template.is_dynamic() {
            self.problems.error(
                place,
                "this is not a URL that begins with `http://` or `https://` and names a host",
            );
        }
        template
    }

    pub(super) fn headers(
        &mut self,
        written: Option<Pairs<Spanned<String>>>,
    ) -> BTreeMap<String, Template> {
        let mut headers = BTreeMap::new();
        for (name, value) in written.unwrap_or_default().0 {
            let good = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            if name.value.is_empty() || !name.value.chars().all(good) {
                let message = format!("`{}` cannot be the name of a header", name.value);
                self.problems.error(name.place, message);
            }
            if value.value.contains(['\r', '\n']) {
                self.problems.error(value.place, "a header is one line");
            }
            let value = self.template(value);
            headers.insert(name.value, value);
        }
        headers
    }

    pub(super) fn status(&mut self, written: Option<Spanned<u16>>) -> Option<u16> {
        let Spanned { value, place } = written?;
        if !(100..=599).contains(&value) {
            let message = format!("{value} is no HTTP status: they lie between 100 and 599");
            self.problems.error(place, message);
            return None;
        }
        Some(value)
    }

    pub(super) fn env(
        &mut self,
        written: Option<Pairs<Spanned<String>>>,
    ) -> BTreeMap<String, Template> {
        let mut env = BTreeMap::new();
        for (name, value) in written.unwrap_or_default().0 {
            self.env_name(&name);
            let value = self.template(value);
            env.insert(name.value, value);
        }
        env
    }

    pub(super) fn env_name(&mut self, name: &Spanned<String>) {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let digit = name.value.starts_with(|c: char| c.is_ascii_digit());
        if name.value.is_empty() || digit || !name.value.chars().all(good) {
            self.problems.error_with_help(
                name.place,
                format!(
                    "`{}` cannot be the name of an environment variable",
                    name.value
                ),
                Some("letters, digits and `_`, no digit first".to_owned()),
            );
        }
    }
}
