//! Issues of a Gitea repository: one an incident, with a comment for all that happens in it.

mod api;
mod hear;
mod issue;
mod markdown;
mod text;

use std::time::Instant;

use super::hidden::Hidden;
use super::{Channel, Means, Said, Trouble};
use crate::model::channel::{self, Message, Occasion, Question};
use crate::model::text::visible;
use api::Api;

/// Issues of a Gitea repository.
pub struct Gitea {
    api: Api,
    repo: String,
    labels: Vec<String>,
    allowed_users: Vec<String>,
    use_mission_issue: bool,
    /// Whose the token is, once it was asked; nobody where the token may not say.
    me: Option<Option<String>>,
}

impl Gitea {
    /// Gets it ready; nobody is talked to.
    ///
    /// # Errors
    /// The token cannot be had, or the repository is not `OWNER/NAME`.
    pub fn new(settings: &channel::Gitea, means: &mut Means<'_>) -> Result<Self, Trouble> {
        let Some((owner, name)) = repository(&settings.repo) else {
            return Err(Trouble::hopeless(format!(
                "{} is no repository: OWNER/NAME, of letters, digits, `.`, `_` and `-`",
                visible(&settings.repo)
            )));
        };
        let mut hidden = Hidden::default();
        let token = means.secret("token", &settings.token, &mut hidden)?;
        let mut labels = settings.labels.clone();
        labels.sort();
        labels.dedup();
        Ok(Self {
            api: Api {
                url: format!("{}/api/v1", settings.url.trim_end_matches('/')),
                owner: owner.to_owned(),
                name: name.to_owned(),
                token,
                authorities: means.authorities.clone(),
                hidden,
            },
            repo: settings.repo.clone(),
            labels,
            allowed_users: settings.allowed_users.clone(),
            use_mission_issue: settings.use_mission_issue,
            me: None,
        })
    }

    /// Whose the token is. Where that cannot be found out, what has our marker counts as ours.
    fn me(&mut self, until: Instant) -> Option<String> {
        if self.me.is_none() {
            match self.api.user(until) {
                Ok(user) => self.me = Some(user),
                // It is asked again the next time.
                Err(trouble) => log::info!("{}", trouble.why),
            }
        }
        self.me.clone().flatten()
    }
}

/// The parts of `OWNER/NAME`, as Gitea allows them.
fn repository(text: &str) -> Option<(&str, &str)> {
    let (owner, name) = text.split_once('/')?;
    let fine = |part: &str| {
        let sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        !part.is_empty() && part != "." && part != ".." && part.chars().all(sign)
    };
    (fine(owner) && fine(name)).then_some((owner, name))
}

impl Channel for Gitea {
    fn send(&mut self, message: &Message, until: Instant) -> Result<String, Trouble> {
        let sent = self.deliver(message, until)?;
        // A test leaves nothing to be cleared away; a mission's issue is never closed.
        let done = message.last || message.occasion == Occasion::Test;
        if let Some(issue) = sent.own.filter(|_| done) {
            self.close(&issue, message, until)?;
        }
        Ok(sent.receipt.text(&self.repo))
    }

    fn hear(
        &mut self,
        cursor: Option<&str>,
        open: &[Question],
        until: Instant,
    ) -> Result<Said, Trouble> {
        self.answers(cursor, open, until)
    }

    fn look(&mut self, until: Instant) -> Result<String, Trouble> {
        let version = self.api.version(until)?;
        let user = self.api.user(until)?;
        let repository = self.api.repository(until)?;
        let is = |name: &str| repository[name].as_bool();
        let may = |name: &str| repository["permissions"][name].as_bool();
        if is("archived") == Some(true) {
            let why = format!("{} is archived: nobody can write in it", self.repo);
            return Err(Trouble::hopeless(why));
        }
        if is("has_issues") == Some(false) {
            let why = format!(
                "issues are switched off in {}; its settings have them",
                self.repo
            );
            return Err(Trouble::hopeless(why));
        }
        if may("pull") == Some(false) {
            let why = format!("the token's user may not read {}", self.repo);
            return Err(Trouble::passing(why));
        }
        let who = match user {
            Some(user) => format!("the token is {}'s", visible(&user)),
            None => "the token may not say whose it is (scope read:user)".to_owned(),
        };
        let mut text = format!("Gitea {version}; {who}; {} is there", self.repo);
        if !self.labels.is_empty() {
            let missing = self.labels.len() - self.api.labels(&self.labels, until)?.len();
            let writes = ["push", "admin"].iter().any(|p| may(p) == Some(true));
            text.push_str(match (missing, writes) {
                (_, false) => "; labels are left out: its user may not write in the repository",
                (0, _) => "; all labels exist",
                _ => "; labels that do not exist are made with the first issue",
            });
        }
        Ok(text)
    }
}

#[cfg(test)]
#[path = "gitea_answers_tests.rs"]
mod answers_tests;
#[cfg(test)]
#[path = "gitea_tests.rs"]
mod tests;
