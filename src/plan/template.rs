//! Strings in plans: the minijinja language with strict undefined.

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior};
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

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment
}

impl Template {
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

    /// The string, filled in.
    ///
    /// # Errors
    /// A sentence: what is not there for this subject.
    pub fn render(&self, context: &Context<'_>) -> Result<String, String> {
        if !self.dynamic {
            return Ok(self.source.clone());
        }
        environment()
            .render_str(&self.source, minijinja::value::Serde(context))
            .map_err(|e| e.to_string())
    }
}

impl Serialize for Template {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.source)
    }
}
