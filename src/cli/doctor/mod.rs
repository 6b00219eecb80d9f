//! `doctor`: looks over the installation and says what would go wrong.
//!
//! ```text
//! facts (looks, judges nothing) ──▶ rules (pure) ──▶ findings ──▶ show
//! ```
//!
//! It never stops at the first thing that is wrong: a configuration that is broken is a finding, and
//! the rest is looked at by what can be understood of it. It writes and sends nothing, takes no
//! lock and starts no program.

mod facts;
mod finding;
mod rules;
mod show;

use std::path::Path;

use super::args::{Common, DoctorArgs};
use super::list::wants_json;
use super::setup::overrides;
use super::{Ending, out};
use crate::model::exit::{Exit, Failure};
use crate::sys::host;
use facts::Facts;
use finding::Level;
use show::Document;

/// Does it: 0 where nothing would go wrong, 1 where there is something to look at.
///
/// # Errors
/// Wrong use of the command line; standard output cannot be written.
pub(super) fn doctor(common: &Common, args: &DoctorArgs) -> Result<Ending, Failure> {
    let json = wants_json(common, "doctor")?;
    let overrides = overrides(common, None)?;
    let system_root = args.system_root.as_deref().unwrap_or(Path::new("/"));
    if !system_root.is_dir() {
        let message = format!(
            "--system-root {}: there is no such directory",
            system_root.display()
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    let facts = Facts::gather(&overrides, system_root);
    let findings = rules::judge(&facts);
    let fine = findings
        .iter()
        .all(|finding| finding.level < Level::Warning);
    if json {
        let user = facts.host.map(|host| host.user);
        let user = user.unwrap_or_else(|| format!("uid {}", host::uid()));
        out::json(&Document::of(&findings, user))?;
    } else if !common.quiet || !fine {
        out::print(show::human(&findings, common.color, common.quiet).as_bytes())?;
    }
    Ok(match fine {
        true => Exit::Healthy.into(),
        false => Exit::InHand.into(),
    })
}
