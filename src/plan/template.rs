//! Strings in plans: the minijinja language with strict undefined.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::bounds;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde::Serialize;

/// A string of a plan, to be filled in for each subject. It was checked when the plan was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
    /// False where there is nothing to fill in.
    dynamic: bool,
}

/// What templates can name.
#[derive(Clone, Debug, Serialize)]
pub struct Context<'a> {
    /// `cell.…`; absent for a gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<CellContext<'a>>,
    /// `agent.…`; absent for a gateway, and where a cell's agents cannot be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentContext<'a>>,
    /// `gateway.…`; absent for a cell's agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayContext<'a>>,
    /// The attempt's number.
    pub attempt: u32,
    /// The incident's id.
    pub incident: &'a str,
}

/// `cell.…`
#[derive(Clone, Debug, Serialize)]
pub struct CellContext<'a> {
    /// The mission id.
    pub id: &'a str,
    /// The directory.
    pub root: &'a str,
    /// The manifest's labels.
    pub labels: &'a BTreeMap<String, String>,
}

/// `agent.…`
#[derive(Clone, Debug, Serialize)]
pub struct AgentContext<'a> {
    /// The agent's name.
    pub name: &'a str,
    /// The plan's own `home`; the cell's directory where it has none.
    pub home: &'a str,
}

/// `gateway.…`
#[derive(Clone, Debug, Serialize)]
pub struct GatewayContext<'a> {
    /// The gateway's name.
    pub name: &'a str,
}

/// How much work one string may make: a template is for filling in names, not for computing.
const FUEL: u64 = 10_000;
/// How long a string with something to fill in may be as it is written, in bytes. The language's
/// parser and its values go down into what they read, one call in another, and a chain of a few
/// thousand links (`a.b.c…`, `1+1+1…`) would take all of the stack.
const LONGEST_SOURCE: usize = 4 * 1024;
/// How long a string may become, in bytes: less than the system takes as one argument.
const LONGEST: usize = 64 * 1024;

/// The one environment: what it takes to make one is more than most templates take.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    bounds::bind(&mut environment);
    environment
});

impl Template {
    /// A string as it is written in a plan.
    ///
    /// # Errors
    /// A sentence: what is wrong with its syntax, or that it names a filter, a test or a function
    /// that there is not.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_with_variables(text).map(|(template, _)| template)
    }

    /// The same, and what it names of the world, as [`Template::variables`] has it.
    pub(super) fn parse_with_variables(text: &str) -> Result<(Self, Vec<String>), String> {
        let dynamic = ["{{", "{%", "{#"].iter().any(|begin| text.contains(begin));
        let template = Self {
            source: text.to_owned(),
            dynamic,
        };
        if !dynamic {
            return Ok((template, Vec::new()));
        }
        if text.len() > LONGEST_SOURCE {
            return Err(format!(
                "it is longer than {LONGEST_SOURCE} bytes; what is longer belongs in a file"
            ));
        }
        let compiled = ENVIRONMENT.template_from_str(text).map_err(|e| told(&e))?;
        if let Some(why) = bounds::refused(text) {
            return Err(why);
        }
        let names = named(&compiled);
        // Filters and the like are looked up only when a template is filled in.
        match sample(&compiled, &names) {
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::UnknownFilter
                        | ErrorKind::UnknownTest
                        | ErrorKind::UnknownFunction
                        | ErrorKind::UnknownMethod
                        | ErrorKind::TooManyArguments
                        | ErrorKind::MissingArgument
                        | ErrorKind::OutOfFuel
                        | ErrorKind::WriteFailure
                ) =>
            {
                Err(told(&e))
            }
            _ => Ok((template, names)),
        }
    }

    /// A string with nothing to fill in, whatever it holds.
    #[must_use]
    pub fn literal(text: impl Into<String>) -> Self {
        Self {
            source: text.into(),
            dynamic: false,
        }
    }

    /// As written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// True where there is something to fill in.
    #[must_use]
    pub fn is_dynamic(&self) -> bool {
        self.dynamic
    }

    /// What it names of the world, in order of the names: `cell.id`, `cell.labels.team`.
    #[must_use]
    pub fn variables(&self) -> Vec<String> {
        if !self.dynamic {
            return Vec::new();
        }
        let compiled = ENVIRONMENT.template_from_str(&self.source);
        compiled
            .map(|compiled| named(&compiled))
            .unwrap_or_default()
    }

    /// The string, filled in.
    ///
    /// # Errors
    /// A sentence on one line: what is not there for this subject.
    pub fn render(&self, context: &Context<'_>) -> Result<String, String> {
        if !self.dynamic {
            return Ok(self.source.clone());
        }
        self.filled(context).map_err(|e| match e.kind() {
            ErrorKind::UndefinedError => self.missing(context).unwrap_or_else(|| told(&e)),
            _ => told(&e),
        })
    }

    fn filled(&self, context: &Context<'_>) -> Result<String, minijinja::Error> {
        filled(&ENVIRONMENT.template_from_str(&self.source)?, context)
    }

    /// The first of its variables that is not there.
    fn missing(&self, context: &Context<'_>) -> Option<String> {
        self.variables().into_iter().find_map(|name| {
            let there = match name.split('.').collect::<Vec<_>>()[..] {
                ["cell", "labels", label] => {
                    let labels = context.cell.as_ref().map(|cell| cell.labels);
                    if labels.is_some_and(|labels| labels.contains_key(label)) {
                        return None;
                    }
                    return Some(format!("label `{label}` is not there"));
                }
                ["cell", ..] => context.cell.is_some(),
                ["agent", ..] => context.agent.is_some(),
                ["gateway", ..] => context.gateway.is_some(),
                _ => true,
            };
            (!there).then(|| format!("`{name}` is not there"))
        })
    }

    /// The string with something harmless filled in, as it could become.
    pub(super) fn example(&self) -> String {
        if !self.dynamic {
            return self.source.clone();
        }
        let compiled = ENVIRONMENT.template_from_str(&self.source);
        let example = compiled.and_then(|compiled| sample(&compiled, &named(&compiled)));
        example.unwrap_or_default()
    }
}

type Compiled<'t> = minijinja::Template<'t, 't>;

fn named(compiled: &Compiled<'_>) -> Vec<String> {
    let mut names: Vec<String> = compiled.undeclared_variables(true).into_iter().collect();
    names.sort_unstable();
    names
}

fn filled(compiled: &Compiled<'_>, context: &Context<'_>) -> Result<String, minijinja::Error> {
    let mut out = Bounded(Vec::new());
    compiled.render_captured_to(minijinja::value::Serde(context), &mut out)?;
    // What a template writes is text.
    Ok(String::from_utf8_lossy(&out.0).into_owned())
}

fn sample(compiled: &Compiled<'_>, names: &[String]) -> Result<String, minijinja::Error> {
    let labels = names.iter().filter_map(|n| n.strip_prefix("cell.labels."));
    let labels = labels
        .map(|name| (name.to_owned(), "x".to_owned()))
        .collect();
    let context = Context {
        cell: Some(CellContext {
            id: "x",
            root: "/x",
            labels: &labels,
        }),
        agent: Some(AgentContext {
            name: "x",
            home: "/x",
        }),
        gateway: Some(GatewayContext { name: "x" }),
        attempt: 1,
        incident: "x",
    };
    filled(compiled, &context)
}

/// Bytes up to [`LONGEST`].
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(std::io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is wrong, on one line.
fn told(error: &minijinja::Error) -> String {
    let sentence = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "it takes too much work to fill in".to_owned(),
        (ErrorKind::WriteFailure, _) => format!("it becomes longer than {LONGEST} bytes"),
        (ErrorKind::UndefinedError, None) => "it names something that is not there".to_owned(),
        (kind, None) => kind.to_string(),
        (ErrorKind::SyntaxError, Some(detail)) => detail.to_owned(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
    };
    crate::model::text::visible(&sentence).into_owned()
}

impl Serialize for Template {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let labels = BTreeMap::from([("team".to_owned(), "nexus; rm -rf /".to_owned())]);
        let context = Context {
            cell: Some(CellContext {
                id: "portal-1",
                root: "/var/missions/portal-1",
                labels: &labels,
            }),
            agent: None,
            gateway: None,
            attempt: 2,
            incident: "i1",
        };
        Template::parse(text)?.render(&context)
    }

    #[test]
    fn what_is_filled_in() {
        for (text, wanted) in [
            ("plain {x} %}", "plain {x} %}"),
            ("{{ cell.id }}-{{ attempt }}", "portal-1-2"),
            ("{{ cell.labels.team }}", "nexus; rm -rf /"),
            ("{{ cell.labels['team'] | upper }}", "NEXUS; RM -RF /"),
            ("{{ cell.labels.none | default('x') }}", "x"),
            ("{% if cell.id is startingwith 'portal' %}p{% endif %}", "p"),
            ("a\n{# no #}", "a\n"),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_one_sentence() {
        for (text, wanted) in [
            ("{{ cell.labels.tier }}", "label `tier` is not there"),
            ("{{ agent.name }}", "`agent.name` is not there"),
            (
                "{{ cell.id ",
                "unexpected end of input, expected end of variable block",
            ),
            (
                "{{ cell.id | uper }}",
                "unknown filter: filter uper is unknown",
            ),
            ("{{ 'x' * 70000 }}", "it becomes longer than 65536 bytes"),
        ] {
            assert_eq!(filled(text), Err(wanted.to_owned()), "{text}");
        }
    }

    /// Deep enough, they end the program where nothing can be caught.
    #[test]
    fn chains_without_end_are_refused_before_they_are_read() {
        for link in [".a", "+1", "|upper", "()", "[1]", "~'b'", "**1"] {
            let error = filled(&format!("{{{{ cell{} }}}}", link.repeat(50_000))).unwrap_err();
            assert!(error.contains("longer than 4096 bytes"), "{error}");
        }
        let plain = "x".repeat(100_000);
        assert_eq!(filled(&plain), Ok(plain));
    }

    #[test]
    fn what_a_template_names() {
        let template = Template::parse("{{ cell.labels.a }}{% if true %}{{ b.c }}{% endif %}");
        assert_eq!(template.unwrap().variables(), ["b.c", "cell.labels.a"]);
    }
}
