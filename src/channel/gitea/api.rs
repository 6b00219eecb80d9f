//! Gitea's API: what is asked of it, and what it answers.

use std::time::Instant;

use serde_json::{Value, json};

use crate::channel::Trouble;
use crate::channel::hidden::Hidden;
use crate::channel::http::{self, Clock, Request};
use crate::model::channel::Sensitive;
use crate::model::time::Timestamp;
use crate::net::{Answer, Authorities};
use crate::sys::host;

/// How many a page has: no server gives more than its limit, which is 50 mostly.
const PAGE: u64 = 50;

/// As many pages are read of a list.
const MOST_PAGES: usize = 60;

/// One repository of one server, and whose token is used.
pub(super) struct Api {
    /// Where its API begins; without a slash at its end.
    pub(super) url: String,
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) token: Sensitive,
    pub(super) authorities: Authorities,
    pub(super) hidden: Hidden,
}

/// An issue, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Issue {
    pub(super) number: u64,
    pub(super) open: bool,
    pub(super) body: String,
    pub(super) author: String,
    pub(super) labels: Vec<String>,
}

/// A comment, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comment {
    pub(super) id: u64,
    pub(super) body: String,
    pub(super) author: String,
    /// When it was written, by the host's clock.
    pub(super) at: Timestamp,
    /// When it was written, and changed last, by the server's.
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
}

/// An answer, read.
struct Got {
    json: Value,
    /// How many there are in all, for a list.
    total: Option<u64>,
    clock: Clock,
}

/// What came of asking for one thing.
pub(super) enum Found<T> {
    Is(T),
    /// There is none (any more).
    Gone,
    /// The answer is longer than what is read.
    TooLong,
}

impl Api {
    fn request(&self, method: &'static str, path: &str) -> Request {
        let url = format!("{}{path}", self.url);
        Request::new(method, url)
            .believing(&self.authorities)
            .header("Authorization", &format!("token {}", self.token.reveal()))
            .header("Accept", "application/json")
    }

    fn in_repo(&self, method: &'static str, path: &str) -> Request {
        self.request(method, &format!("{}{path}", self.repo()))
    }

    /// The path of the repository.
    fn repo(&self) -> String {
        format!("/repos/{}/{}", self.owner, self.name)
    }

    /// Why an answer is not what was wanted.
    fn refusal(&self, what: &str, named: &str, answer: &Answer) -> Trouble {
        let json = http::json(answer).unwrap_or_default();
        let said = json["message"].as_str().unwrap_or_default();
        let mut trouble = http::refusal(what, named, answer, &self.hidden.shown(said));
        if answer.status == 423 {
            trouble.why.push_str("; is the repository archived?");
        }
        trouble
    }

    fn unreadable(what: &str, named: &str) -> Trouble {
        Trouble::passing(format!(
            "{what}: {named}: the answer is not what Gitea answers; is the URL that of a Gitea?"
        ))
    }

    fn gone(&self, what: &str, named: &str) -> Trouble {
        Trouble::passing(format!(
            "{what}: {named}: the server answered 404; is there a repository {}/{}, may the token see \
             it, and are issues switched on in it?",
            self.owner, self.name
        ))
    }

    /// Asks, and reads the answer.
    fn ask(&self, what: &str, request: Request, until: Instant) -> Result<Found<Got>, Trouble> {
        let named = request.named();
        let answer = request.ask(what, until)?;
        match answer.status {
            404 | 410 => return Ok(Found::Gone),
            _ if !http::is_fine(&answer) => return Err(self.refusal(what, &named, &answer)),
            _ if answer.cut => return Ok(Found::TooLong),
            _ => {}
        }
        let total = answer.header("x-total-count");
        let total = total.and_then(|total| total.trim().parse().ok());
        let clock = Clock::of(&answer, host::now());
        match http::json(&answer) {
            Some(json) => Ok(Found::Is(Got { json, total, clock })),
            None => Err(Self::unreadable(what, &named)),
        }
    }

    /// The same, where there must be something.
    fn demand(&self, what: &str, request: Request, until: Instant) -> Result<Value, Trouble> {
        let named = request.named();
        match self.ask(what, request, until)? {
            Found::Is(got) => Ok(got.json),
            Found::Gone => Err(self.gone(what, &named)),
            Found::TooLong => Err(Self::unreadable(what, &named)),
        }
    }

    /// The server's version.
    pub(super) fn version(&self, until: Instant) -> Result<String, Trouble> {
        let json = self.demand("asking the version", self.request("GET", "/version"), until)?;
        let version = json["version"].as_str().unwrap_or("of an unknown version");
        Ok(self.hidden.shown(version))
    }

    /// Whose the token is; `None` where it may not say.
    pub(super) fn user(&self, until: Instant) -> Result<Option<String>, Trouble> {
        let (what, request) = ("asking whose the token is", self.request("GET", "/user"));
        let named = request.named();
        let answer = request.ask(what, until)?;
        match answer.status {
            // A token without the scope read:user.
            403 | 404 => Ok(None),
            200 => Ok(http::json(&answer).and_then(|json| text(&json["login"]))),
            _ => Err(self.refusal(what, &named, &answer)),
        }
    }

    /// The repository, as the API has it.
    pub(super) fn repository(&self, until: Instant) -> Result<Value, Trouble> {
        self.demand("looking at the repository", self.in_repo("GET", ""), until)
    }

    /// One issue.
    pub(super) fn issue(&self, number: u64, until: Instant) -> Result<Found<Issue>, Trouble> {
        let what = format!("looking at issue {number}");
        let request = self.in_repo("GET", &format!("/issues/{number}"));
        let named = request.named();
        Ok(match self.ask(&what, request, until)? {
            Found::Is(got) => {
                Found::Is(issue(&got.json).ok_or_else(|| Self::unreadable(&what, &named))?)
            }
            Found::Gone => Found::Gone,
            Found::TooLong => Found::TooLong,
        })
    }

    /// The first issue of a list for which something is true, newest first.
    pub(super) fn find_issue(
        &self,
        query: &str,
        until: Instant,
        mut wanted: impl FnMut(&Issue) -> bool,
    ) -> Result<Option<Issue>, Trouble> {
        let mut found = None;
        let path = format!("{}/issues?type=issues&{query}", self.repo());
        self.each("looking for its issue", &path, until, |json| {
            found = issue(json).filter(|issue| wanted(issue));
            found.is_none()
        })?;
        Ok(found)
    }

    /// Goes through a list until it is enough. Where a page is longer than what is read, it goes on
    /// with shorter ones; an entry that is too long by itself is passed over.
    fn each(
        &self,
        what: &str,
        path: &str,
        until: Instant,
        mut more: impl FnMut(&Value) -> bool,
    ) -> Result<(), Trouble> {
        let join = if path.contains('?') { '&' } else { '?' };
        let (mut at, mut size) = (0, PAGE);
        for _ in 0..MOST_PAGES {
            let page = at / size + 1;
            let path = format!("{path}{join}page={page}&limit={size}");
            let request = self.request("GET", &path);
            let named = request.named();
            let (list, total) = match self.ask(what, request, until)? {
                Found::Is(Got {
                    json: Value::Array(list),
                    total,
                    ..
                }) => (list, total),
                // An empty list is null at times.
                Found::Is(got) if got.json.is_null() => return Ok(()),
                Found::Is(_) => return Err(Self::unreadable(what, &named)),
                Found::Gone => return Err(self.gone(what, &named)),
                Found::TooLong if size == 1 => {
                    at += 1;
                    continue;
                }
                Found::TooLong => {
                    size = if size > 10 && at % 10 == 0 { 10 } else { 1 };
                    continue;
                }
            };
            for one in &list {
                if !more(one) {
                    return Ok(());
                }
            }
            let got = list.len() as u64;
            at += got;
            match total {
                _ if got == 0 => return Ok(()),
                Some(total) if at >= total => return Ok(()),
                None if got < size => return Ok(()),
                // The server's own limit is lower than what was asked for.
                _ => size = got,
            }
        }
        log::warn!("{what}: there are more than were looked through");
        Ok(())
    }

    /// Opens an issue.
    pub(super) fn open_issue(
        &self,
        title: &str,
        body: &str,
        labels: &[u64],
        until: Instant,
    ) -> Result<Issue, Trouble> {
        let what = "opening an issue";
        let sent = json!({"title": title, "body": body, "labels": labels});
        let request = self.in_repo("POST", "/issues").json(&sent);
        let named = request.named();
        let json = self.demand(what, request, until)?;
        issue(&json).ok_or_else(|| Self::unreadable(what, &named))
    }

    /// Closes an issue; false where something that it depends on is open.
    pub(super) fn close_issue(&self, number: u64, until: Instant) -> Result<bool, Trouble> {
        let what = format!("closing issue {number}");
        let path = format!("/issues/{number}");
        let request = self
            .in_repo("PATCH", &path)
            .json(&json!({"state": "closed"}));
        let named = request.named();
        let answer = request.ask(&what, until)?;
        match answer.status {
            412 => Ok(false),
            // Gone, and with it all that there was to close.
            404 | 410 => Ok(true),
            _ if http::is_fine(&answer) => Ok(true),
            _ => Err(self.refusal(&what, &named, &answer)),
        }
    }

    /// The comments of an issue that were written or changed since.
    pub(super) fn comments(
        &self,
        number: u64,
        since: Timestamp,
        until: Instant,
    ) -> Result<Found<Vec<Comment>>, Trouble> {
        let what = format!("reading the comments of issue {number}");
        let path = format!("/issues/{number}/comments?since={}", when(since));
        let request = self.in_repo("GET", &path);
        let named = request.named();
        Ok(match self.ask(&what, request, until)? {
            Found::Is(Got { json, clock, .. }) => match json {
                Value::Array(list) => {
                    Found::Is(list.iter().filter_map(|one| comment(one, clock)).collect())
                }
                // An empty list is null at times.
                Value::Null => Found::Is(Vec::new()),
                _ => return Err(Self::unreadable(&what, &named)),
            },
            Found::Gone => Found::Gone,
            Found::TooLong => Found::TooLong,
        })
    }

    /// Writes a comment, and says which it is, where the server does; gone where the issue is.
    pub(super) fn add_comment(
        &self,
        number: u64,
        body: &str,
        until: Instant,
    ) -> Result<Found<Option<u64>>, Trouble> {
        let what = format!("commenting on issue {number}");
        let path = format!("/issues/{number}/comments");
        let request = self.in_repo("POST", &path).json(&json!({"body": body}));
        let named = request.named();
        Ok(match self.ask(&what, request, until)? {
            Found::Is(got) if got.json.is_object() => Found::Is(got.json["id"].as_u64()),
            Found::Is(_) | Found::TooLong => return Err(Self::unreadable(&what, &named)),
            Found::Gone => Found::Gone,
        })
    }

    /// The ids of labels by name, as far as they exist: those of the repository, and those that its
    /// owner has for all repositories, where that is an organisation.
    pub(super) fn labels(
        &self,
        names: &[String],
        until: Instant,
    ) -> Result<Vec<(String, u64)>, Trouble> {
        let mut found: Vec<(String, u64)> = Vec::new();
        let own = format!("{}/labels", self.repo());
        let shared = format!("/orgs/{}/labels", self.owner);
        for (path, must) in [(own, true), (shared, false)] {
            if found.len() == names.len() {
                break;
            }
            let asked = self.each("looking up labels", &path, until, |json| {
                if let (Some(name), Some(id)) = (text(&json["name"]), json["id"].as_u64())
                    && names.contains(&name)
                    && !found.iter().any(|(known, _)| *known == name)
                {
                    found.push((name, id));
                }
                found.len() < names.len()
            });
            match asked {
                Err(trouble) if must => return Err(trouble),
                // The owner may be a user, and the token need not reach so far.
                Err(trouble) => log::debug!("{}", trouble.why),
                Ok(()) => {}
            }
        }
        Ok(found)
    }

    /// Makes a label.
    pub(super) fn make_label(&self, name: &str, until: Instant) -> Result<u64, Trouble> {
        let what = "making a label";
        let sent = json!({"name": name, "color": "#00aabb"});
        let request = self.in_repo("POST", "/labels").json(&sent);
        let named = request.named();
        let json = self.demand(what, request, until)?;
        json["id"]
            .as_u64()
            .ok_or_else(|| Self::unreadable(what, &named))
    }
}

/// A time as Gitea reads it in a query: whole seconds, in UTC, nothing to be escaped.
pub(super) fn when(at: Timestamp) -> String {
    let seconds = at.as_micros().div_euclid(1_000_000);
    let text = Timestamp::from_secs(seconds).to_string();
    match text.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => text,
    }
}

fn text(json: &Value) -> Option<String> {
    json.as_str().map(str::to_owned)
}

fn issue(json: &Value) -> Option<Issue> {
    let labels = json["labels"].as_array().map(Vec::as_slice);
    let labels = labels.unwrap_or_default().iter();
    Some(Issue {
        number: json["number"].as_u64()?,
        open: json["state"] != "closed",
        body: text(&json["body"]).unwrap_or_default(),
        author: text(&json["user"]["login"]).unwrap_or_default(),
        labels: labels.filter_map(|l| text(&l["name"])).collect(),
    })
}

fn comment(json: &Value, clock: Clock) -> Option<Comment> {
    let time = |name: &str| json[name].as_str().and_then(Timestamp::parse);
    let created = time("created_at")?;
    Some(Comment {
        id: json["id"].as_u64()?,
        body: text(&json["body"]).unwrap_or_default(),
        author: text(&json["user"]["login"]).unwrap_or_default(),
        at: clock.here(created),
        created,
        updated: time("updated_at").unwrap_or(created),
    })
}
